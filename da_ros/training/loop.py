"""The training loop: resumable at any kill, in pieces of any length."""

from __future__ import annotations

import json
import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from da_ros.errors import ParameterError
from da_ros.files import write_whole
from da_ros.network.nano import Nano
from da_ros.network.nano_card import DATA_FOLDER, NANO_FILE
from da_ros.network.spec import NanoSpec
from da_ros.training.augment import augment
from da_ros.training.data import Shards
from da_ros.training.depthwise import quicken_depthwise
from da_ros.training.encoder import load_pretrained
from da_ros.training.losses import depth_loss
from da_ros.training.predict import predict
from da_ros.training.validation import Validation

LOG_LINES = 20  # of a long run
STARTS = ("imagenet", "shipped")
START_FILE = "start.safetensors"  # of a run that starts from what ships, as that was then


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run, kept in its checkpoint.

    Attributes:
        samples: Pictures drawn until the learning rate is zero.
        batch: Pictures a step.
        height: Of the network's input [px].
        width: [px].
        coarse: Share of the samples that are drawn first, at a smaller size: they cost less than
            half, and what is learnt from them carries over.
        coarse_height: Of the network's input then [px].
        coarse_width: [px].
        encoder_rate: Highest learning rate of the pretrained encoder.
        decoder_rate: Of the rest.
        weight_decay: Of AdamW.
        warm_up: Steps until the highest rate, in each cycle.
        cycles: How often the rates rise and fall to zero, in as many equal parts of the samples
            (warm restarts: Loshchilov and Hutter, arXiv 1608.03983).
        ema: Share of the old weights that the average keeps a step, at most.
        seed: Of the draws.
        start: What the weights are at first: ``imagenet`` (the encoder's; the rest is random) or
            ``shipped`` (all of a nano that ships, its batch norms folded: start.safetensors in the
            run's folder where that lies there already, else the one that da_ros loads).
        keep: Share of the first weights in the result, for ``shipped``: between the two ends a
            network is often better than at either, most of all on what neither has seen
            (Wortsman et al., arXiv 2109.01903);
            after a long polish of nano it was worse than both.
    """

    samples: int = 32_000
    batch: int = 16
    height: int = 192
    width: int = 256
    coarse: float = 0.6
    coarse_height: int = 128
    coarse_width: int = 160
    encoder_rate: float = 2e-4
    decoder_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up: int = 150
    cycles: int = 1
    ema: float = 0.997
    seed: int = 1
    start: str = "imagenet"
    keep: float = 0.0


# What a GPU does in minutes. Larger batches keep it busy, and let the rates be higher.
LONG = Recipe(
    samples=720_000,
    batch=128,
    coarse=0.4,
    encoder_rate=3e-4,
    decoder_rate=2e-3,
    weight_decay=0.05,
    warm_up=500,
    ema=0.9985,
)

# From what the long course has learnt, at small rates.
POLISH = Recipe(
    samples=320_000,
    coarse=0.0,
    encoder_rate=1.5e-4,
    decoder_rate=6e-4,
    warm_up=100,
    cycles=2,
    ema=0.998,
    seed=2,
    start="shipped",
)


class Trainer:
    """State of a run: network, average, optimiser, progress.

    The chance of every step follows from the recipe's seed and the step's number, so that a run
    that was stopped and went on ends as one that was not, as long as the same shards are there.

    Args:
        folder: Of the run: checkpoint.pt, log.jsonl, of a polish start.safetensors.
        recipe: For a new run; a run that is there goes on with its own.
        device: Where it trains.

    Raises:
        ParameterError: If the recipe starts from what there is not.
    """

    def __init__(self, folder: Path, recipe: Recipe, device: torch.device) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.device = device
        self.step = 0
        saved = self._saved()
        self.recipe = Recipe(**saved["recipe"]) if saved else recipe
        torch.manual_seed(self.recipe.seed)
        self.network = self._first_network(fresh=not saved)
        quicken_depthwise(self.network)
        self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        self.optimiser = self._optimiser()
        if saved:
            self._restore(saved)

    @property
    def done(self) -> bool:
        """Whether all samples of the recipe were drawn."""
        return self.step * self.recipe.batch >= self.recipe.samples

    def train(
        self, shards: Shards, seconds: float, validation: Validation, every: int | None = None
    ) -> None:
        """Go on for some time, or to the end.

        Args:
            shards: What to draw from; looked at again now and then for new ones.
            seconds: Stop and save after this long.
            validation: Held-out scenes to log figures on.
            every: Steps between log lines and checkpoints; None: 250, or more in a long run.
        """
        every = every or max(250, self.recipe.samples // self.recipe.batch // LOG_LINES)
        start, losses = time.monotonic(), []
        while not self.done and time.monotonic() - start < seconds:
            losses.append(self._advance(shards))
            if self.step % every == 0:
                shards.refresh()
                self._log(losses, len(shards), validation)
                losses = []
                self.save()
        self._log(losses, len(shards), validation)
        self.save()

    def result(self) -> Nano:
        """The average of the weights, with the share of the first ones that the recipe keeps."""
        network = deepcopy(self.average)
        if self.recipe.keep:
            first = load_file(self.folder / START_FILE)
            for name, value in network.state_dict().items():
                value.lerp_(first[name].to(value), self.recipe.keep)
        return network

    def save(self) -> None:
        """Write the checkpoint in one move, so that a kill leaves the old or the new one."""
        state = {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        unfinished = self.folder / "checkpoint.part"
        torch.save(state, unfinished)
        unfinished.replace(self.folder / "checkpoint.pt")

    def _saved(self) -> dict[str, Any] | None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state

    def _first_network(self, *, fresh: bool) -> Nano:
        """What the recipe starts from; where a run goes on, its weights are loaded later."""
        start, file = self.recipe.start, self.folder / START_FILE
        if start not in STARTS:
            raise ParameterError(f"no start is called {start!r}; there are {', '.join(STARTS)}")
        network = Nano(NanoSpec(), norm=start == "imagenet")
        if fresh and start == "imagenet":
            load_pretrained(network.encoder)
        elif fresh:
            if not file.exists():
                write_whole(file, (DATA_FOLDER / NANO_FILE).read_bytes())
            network.load_state_dict(load_file(file))
        return network

    def _restore(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step = saved["step"]

    def _optimiser(self) -> torch.optim.AdamW:
        encoder = list(self.network.encoder.parameters())
        known = {id(p) for p in encoder}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        groups = [{"params": encoder}, {"params": rest}]
        decay = self.recipe.weight_decay
        return torch.optim.AdamW(groups, lr=1e-4, weight_decay=decay, fused=True)

    def _rates(self) -> tuple[float, float]:
        """Learning rates of this step: in a cycle linear warm-up, then a half cosine to zero."""
        r = self.recipe
        if self.done:
            return 0.0, 0.0
        drawn = self.step * r.batch % (r.samples / r.cycles)  # in this cycle
        warm = min(1.0, (drawn / r.batch + 1) / r.warm_up)
        factor = warm * 0.5 * (1 + math.cos(math.pi * drawn * r.cycles / r.samples))
        return r.encoder_rate * factor, r.decoder_rate * factor

    def _size(self) -> tuple[int, int]:
        """Height and width of this step's input [px]."""
        r = self.recipe
        if self.step * r.batch < r.coarse * r.samples:
            return r.coarse_height, r.coarse_width
        return r.height, r.width

    def _advance(self, shards: Shards) -> Tensor:
        """One step; its loss, on the device: to look at it would wait for the step's end."""
        r = self.recipe
        rng = np.random.default_rng((r.seed, self.step))
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        rgb, inverse = (t.to(self.device) for t in shards.batch(r.batch, rng))
        x, truth = augment(rgb, inverse, *self._size(), generator)
        for group, rate in zip(self.optimiser.param_groups, self._rates(), strict=True):
            group["lr"] = rate
        predicted = predict(self.network.train(), x)
        loss = depth_loss(predicted, truth)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average a little towards the network."""
        keep = min(self.recipe.ema, self.step / (self.step + 20))
        now, means = self.network.state_dict(), self.average.state_dict()
        smooth = [name for name, mean in means.items() if mean.dtype.is_floating_point]
        follow = get_ema_multi_avg_fn(keep)  # type: ignore[no-untyped-call]
        follow([means[name] for name in smooth], [now[name] for name in smooth], 0)
        for name in means.keys() - set(smooth):
            means[name].copy_(now[name])

    def _log(self, losses: list[Tensor], scenes: int, validation: Validation) -> None:
        figures = validation.figures(self.average)
        row = {
            "step": self.step,
            "samples": self.step * self.recipe.batch,
            "scenes": scenes,
            "loss": float(torch.stack(losses).mean()) if losses else None,
            **figures,
        }
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Rows of a run's log, one a step.

    A run that was killed after a log line and before its checkpoint writes that line again, and a
    kill may cut the last line short; neither shows here.

    Args:
        folder: Of the run.

    Returns:
        Rows in the order of their steps: ``step``, ``samples``, ``scenes``, ``loss`` (mean since
        the row before, None where no step was made) and the held-out figures.
    """
    rows: dict[int, dict[str, Any]] = {}
    for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["loss"] is not None or row["step"] not in rows:
            rows[row["step"]] = row
    return [rows[step] for step in sorted(rows)]
