from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from da_ros.errors import InputError
from da_ros.training.scenes import textures
from da_ros.training.scenes.patterns import SIDE, fractal_noise, pattern
from da_ros.training.scenes.textures import (
    LEVELS,
    PROCEDURAL,
    SKIMAGE_PHOTOS,
    SKLEARN_PHOTOS,
    Atlas,
    make_atlas,
    photo_paths,
)

RECORDED = (
    ((222.6, 204.2, 192.0), (4.9, 23.6, 4.6)),
    ((164.6, 97.1, 191.1), (27.0, 21.6, 8.3)),
    ((79.5, 81.6, 87.9), (29.9, 28.1, 23.4)),
    ((209.9, 232.7, 219.4), (17.9, 2.3, 2.9)),
    ((78.7, 52.6, 29.3), (32.0, 10.9, 17.5)),
    ((119.9, 115.8, 113.0), (52.7, 54.1, 56.2)),
    ((69.4, 88.6, 21.5), (13.0, 18.2, 15.4)),
    ((25.9, 12.2, 19.9), (6.0, 4.2, 5.3)),
)
"""Mean and spread of R, G, B of the first texture of each kind; numpy 2.4, OpenCV 4.14."""


def level_of(atlas: Atlas, texture: int, level: int) -> np.ndarray:
    """One mip level, (side, side, 3) float64 in [0, 1]."""
    side = SIDE >> level
    start = int(atlas.offsets[level])
    texels = atlas.texels[texture, start : start + side * side].numpy()
    return texels.reshape(side, side, 3) / 255.0


def looked_up(atlas: Atlas, texture: int, u: float, v: float, footprint: float) -> np.ndarray:
    at = (torch.tensor([float(n)]) for n in (u, v, footprint))
    return atlas.sample(torch.tensor([texture]), *at)[0].double().numpy()


def bilinear(image: np.ndarray, u: float, v: float) -> np.ndarray:
    """Literal bilinear look-up; the image is mirrored on and on."""
    side = len(image)
    doubled = np.concatenate((image, image[::-1]))
    doubled = np.concatenate((doubled, doubled[:, ::-1]), 1)
    x, y = u * side - 0.5, v * side - 0.5
    column, row = int(np.floor(x)), int(np.floor(y))
    total = np.zeros(3)
    for dy in (0, 1):
        for dx in (0, 1):
            weight = (1 - abs(x - column - dx)) * (1 - abs(y - row - dy))
            total += weight * doubled[(row + dy) % (2 * side), (column + dx) % (2 * side)]
    return total


class TestSample:
    @settings(max_examples=80, deadline=None)
    @given(
        st.integers(0, PROCEDURAL - 1), st.floats(-3, 3), st.floats(-3, 3), st.integers(0, LEVELS)
    )
    def test_is_bilinear_on_the_level_that_fits(
        self, atlas: Atlas, texture: int, u: float, v: float, level: int
    ) -> None:
        u, v = float(np.float32(u)), float(np.float32(v))
        image = level_of(atlas, texture, min(level, LEVELS - 1))
        found = looked_up(atlas, texture, u, v, 2.0**level / SIDE)
        np.testing.assert_allclose(found, bilinear(image, u, v), atol=2e-3)

    @pytest.mark.parametrize(("footprint", "level"), [(0.0, 0), (1.3, 0), (1.5, 1), (1e6, 6)])
    def test_chooses_the_mip_by_the_size_of_a_pixel(
        self, atlas: Atlas, footprint: float, level: int
    ) -> None:
        found = looked_up(atlas, 0, 0.37, 0.61, footprint / SIDE)
        expected = bilinear(level_of(atlas, 0, level), 0.37, 0.61)
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_the_mirrored_wrap_has_no_seams(self, atlas: Atlas) -> None:
        """Two thousandths of a texel on either side of every edge the colours agree."""
        e = 1e-3 / SIDE
        for edge in (-2.0, -1.0, 0.0, 1.0, 2.0):
            for along in np.linspace(0, 1, 7).tolist():
                for pair in (
                    ((edge - e, along), (edge + e, along)),
                    ((along, edge - e), (along, edge + e)),
                ):
                    one, other = (looked_up(atlas, 0, *at, 0.0) for at in pair)
                    np.testing.assert_allclose(one, other, atol=2e-3)

    def test_stays_in_range_and_shape(self, atlas: Atlas) -> None:
        shape = (3, 50)
        g = torch.Generator().manual_seed(0)
        index = torch.randint(PROCEDURAL, shape, generator=g)
        u, v = (torch.randn(shape, generator=g) * 10 for _ in range(2))
        found = atlas.sample(index, u, v, torch.rand(shape, generator=g))
        assert found.shape == (3, 50, 3)
        assert found.dtype == torch.float32
        assert found.min() >= 0
        assert found.max() <= 1


class TestMakeAtlas:
    def test_the_procedural_part_is_that_of_the_recorded_one(self, atlas: Atlas) -> None:
        """Texels differ between versions of OpenCV (5 writes other letters), means hardly."""
        assert atlas.texels.shape == (PROCEDURAL, sum((SIDE >> k) ** 2 for k in range(LEVELS)), 3)
        finest = atlas.texels[:8, : SIDE * SIDE].float()
        recorded = torch.tensor(RECORDED)
        torch.testing.assert_close(finest.mean(1), recorded[:, 0], atol=3.0, rtol=0)
        torch.testing.assert_close(finest.std(1), recorded[:, 1], atol=1.0, rtol=0)

    def test_is_made_the_same_twice(self, atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(textures, "PROCEDURAL", 24)
        assert torch.equal(atlas.texels[:24], make_atlas(photos=False).texels)

    def test_each_level_is_the_mean_of_the_finer_one(self, atlas: Atlas) -> None:
        for level in range(1, LEVELS):
            fine, coarse = level_of(atlas, 5, level - 1), level_of(atlas, 5, level)
            mean = fine.reshape(len(coarse), 2, len(coarse), 2, 3).mean((1, 3))
            np.testing.assert_allclose(coarse, mean, atol=1 / 255)

    def test_photos_come_after_the_procedural_ones(
        self, atlas: Atlas, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("skimage")
        pytest.importorskip("sklearn")
        monkeypatch.setattr(textures, "PROCEDURAL", 8)
        whole = make_atlas(photos=True)
        assert torch.equal(whole.texels[:8], atlas.texels[:8])
        assert len(whole) == 8 + 6 * len(photo_paths())


class TestPhotoPaths:
    def test_none_of_them_is_half_of_a_stereo_pair_or_has_depth(self) -> None:
        names = [*SKIMAGE_PHOTOS, *SKLEARN_PHOTOS]
        assert len(set(names)) == len(names) == 19
        stereo = ("motorcycle", "left", "right", "disp", "stereo")
        assert not [name for name in names if any(word in name for word in stereo)]

    def test_all_are_where_the_packages_keep_them(self) -> None:
        pytest.importorskip("skimage")
        pytest.importorskip("sklearn")
        paths = photo_paths()
        assert [path.name for path in paths] == [*SKIMAGE_PHOTOS, *SKLEARN_PHOTOS]
        for path in paths:
            assert cv2.imread(str(path)) is not None


class TestPatterns:
    @pytest.mark.parametrize("kind", range(8))
    def test_each_kind_is_a_picture_with_something_on_it(self, kind: int) -> None:
        image = pattern(np.random.default_rng(3), kind)
        assert image.shape == (SIDE, SIDE, 3)
        assert image.dtype == np.uint8
        assert image.std() > 2

    def test_fractal_noise_is_smoother_the_steeper_its_spectrum(self) -> None:
        rough, smooth = (
            fractal_noise(np.random.default_rng(1), 128, slope) for slope in (0.5, 2.0)
        )
        assert np.abs(np.diff(smooth)).mean() < 0.3 * np.abs(np.diff(rough)).mean()
        for noise in (rough, smooth):
            assert (noise.min(), noise.max()) == (0.0, 1.0)

    def test_fractal_noise_goes_on_over_its_edges(self) -> None:
        noise = fractal_noise(np.random.default_rng(2), 64, 2.0)
        inside = np.abs(np.diff(noise, axis=0)).mean()
        assert np.abs(noise[0] - noise[-1]).mean() < 2 * inside


class TestUnreadablePhoto:
    def test_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "broken.png"
        path.write_bytes(b"no picture")
        monkeypatch.setattr(textures, "PROCEDURAL", 1)
        monkeypatch.setattr(textures, "photo_paths", lambda: [path])
        with pytest.raises(InputError, match=r"broken\.png: expected a picture"):
            make_atlas(photos=True)
