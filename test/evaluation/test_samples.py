from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from da_ros.errors import InputError
from da_ros.evaluation import folder_samples


def write_sample(
    folder: Path,
    depth: np.ndarray | None = None,
    rgb_name: str = "rgb.png",
    meta: object = None,
) -> Path:
    folder.mkdir(parents=True)
    if depth is None:
        depth = np.array([[0, 1000, 65535], [500, 250, 1]], np.uint16)
    rgb = np.zeros((*depth.shape, 3), np.uint8)
    rgb[..., 0] = 200
    Image.fromarray(rgb).save(folder / rgb_name)
    Image.fromarray(depth).save(folder / "depth.png")
    meta = {"depth_scale": 500} if meta is None else meta
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


class TestFolderSamples:
    def test_units_holes_and_groups(self, tmp_path: Path) -> None:
        write_sample(tmp_path / "tum_b_1", rgb_name="rgb.jpg")
        write_sample(tmp_path / "arc_a")
        write_sample(tmp_path / "plain", meta={"depth_scale": 1000.0})
        samples = list(folder_samples(tmp_path))
        assert [s.name for s in samples] == ["arc_a", "plain", "tum_b_1"]
        assert [s.group for s in samples] == ["arc", "plain", "tum"]
        depth = samples[0].depth
        assert depth.dtype == np.float32
        assert np.isnan(depth[0, 0])
        assert depth.ravel()[1:].tolist() == pytest.approx([2.0, 131.07, 1.0, 0.5, 0.002])
        assert samples[1].depth[0, 1] == 1.0
        assert samples[2].rgb.shape == (2, 3, 3)
        assert samples[0].rgb[0, 0].tolist() == [200, 0, 0]

    def test_one_sample_folder(self, tmp_path: Path) -> None:
        folder = write_sample(tmp_path / "tum_7")
        assert [s.name for s in folder_samples(folder)] == ["tum_7"]

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"expected a folder, got .*nowhere"):
            list(folder_samples(tmp_path / "nowhere"))

    def test_no_sample(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no sample in"):
            list(folder_samples(tmp_path))

    def test_no_image(self, tmp_path: Path) -> None:
        (write_sample(tmp_path / "a") / "rgb.png").unlink()
        with pytest.raises(InputError, match=r"expected one of rgb\.png, rgb\.jpg, rgb\.jpeg"):
            list(folder_samples(tmp_path))

    def test_other_size(self, tmp_path: Path) -> None:
        folder = write_sample(tmp_path / "a")
        Image.fromarray(np.zeros((4, 4), np.uint16)).save(folder / "depth.png")
        with pytest.raises(InputError, match=r"the image's size \(2, 3\), got \(4, 4\)"):
            list(folder_samples(tmp_path))

    def test_damaged_picture(self, tmp_path: Path) -> None:
        folder = write_sample(tmp_path / "a")
        data = (folder / "depth.png").read_bytes()
        (folder / "depth.png").write_bytes(data[: len(data) // 2])
        with pytest.raises(InputError, match=r"cannot read .*depth\.png as a picture"):
            list(folder_samples(tmp_path))

    @pytest.mark.parametrize(
        ("meta", "message"),
        [
            ({}, "expected JSON with depth_scale"),
            ([1], "expected JSON with depth_scale"),
            ({"depth_scale": 0}, "expected depth_scale > 0, got 0"),
            ({"depth_scale": True}, "expected depth_scale > 0, got True"),
            ({"depth_scale": "5"}, "expected depth_scale > 0, got '5'"),
        ],
    )
    def test_bad_meta(self, tmp_path: Path, meta: object, message: str) -> None:
        write_sample(tmp_path / "a", meta=meta)
        with pytest.raises(InputError, match=message):
            list(folder_samples(tmp_path))

    def test_real_set(self, shared_data: Path) -> None:
        samples = list(folder_samples(shared_data / "rgbd"))
        assert {s.group for s in samples} == {"arc", "mosd", "tum"}
        assert len(samples) == 19
        for sample in samples:
            meta = json.loads((shared_data / "rgbd" / sample.name / "meta.json").read_text())
            if "z_med" in meta:
                assert np.nanmedian(sample.depth) == pytest.approx(meta["z_med"], abs=2e-3)
