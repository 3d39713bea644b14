"""PLY files, read back by VTK through pyvista."""

from __future__ import annotations

from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from da_ros.errors import ShapeError
from da_ros.pictures.ply import write_ply


class TestWritePly:
    def test_read_back_by_vtk(self, tmp_path: Path) -> None:
        pyvista = pytest.importorskip("pyvista")
        rng = np.random.default_rng(1)
        points = rng.normal(size=(7, 5, 3)).astype(np.float32)
        rgb = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
        points[2, 3, 1], points[0, 0, 2], points[6, 4] = np.nan, np.inf, -np.inf
        count = write_ply(tmp_path / "cloud.ply", points, rgb, "metres")
        read = pyvista.read(tmp_path / "cloud.ply")
        keep = np.isfinite(points).all(axis=-1)
        assert count == read.n_points == 32
        assert np.array_equal(np.asarray(read.points), points[keep])
        assert np.array_equal(np.asarray(read.point_data["RGB"]), rgb[keep])

    def test_layout_is_what_the_header_says(self, tmp_path: Path) -> None:
        """Read with the format's rules, without the constants of the writer."""
        points = np.array([[1.0, -2.0, 3.5], [4.0, 5.0, 6.0]], np.float32)
        rgb = np.array([[1, 2, 3], [255, 0, 7]], np.uint8)
        write_ply(tmp_path / "c.ply", points, rgb, "a comment\nof two lines")
        head, body = (tmp_path / "c.ply").read_bytes().split(b"end_header\n", 1)
        assert head.decode().splitlines() == [
            "ply",
            "format binary_little_endian 1.0",
            "comment a comment of two lines",
            "element vertex 2",
            "property float x",
            "property float y",
            "property float z",
            "property uchar red",
            "property uchar green",
            "property uchar blue",
        ]
        assert len(body) == 2 * 15
        assert np.frombuffer(body[15:27], "<f4").tolist() == [4.0, 5.0, 6.0]
        assert list(body[27:]) == [255, 0, 7]

    def test_without_colour(self, tmp_path: Path) -> None:
        write_ply(tmp_path / "c.ply", np.ones((4, 3), np.float32))
        head, body = (tmp_path / "c.ply").read_bytes().split(b"end_header\n", 1)
        assert b"red" not in head
        assert np.frombuffer(body, "<f4").tolist() == [1.0] * 12

    def test_no_finite_point(self, tmp_path: Path) -> None:
        assert write_ply(tmp_path / "c.ply", np.full((3, 3), np.nan)) == 0
        assert b"element vertex 0\n" in (tmp_path / "c.ply").read_bytes()

    def test_guards(self, tmp_path: Path) -> None:
        with pytest.raises(ShapeError, match=r"expected \(\.\.\., 3\), got \(5, 4\)"):
            write_ply(tmp_path / "c.ply", np.ones((5, 4)))
        with pytest.raises(ShapeError, match=r"expected \(5, 3\) as the points, got \(4, 3\)"):
            write_ply(tmp_path / "c.ply", np.ones((5, 3)), np.ones((4, 3), np.uint8))

    @given(hnp.arrays(np.float32, (6, 3), elements=st.floats(width=32)))
    def test_body_holds_the_finite_points(
        self, tmp_path_factory: pytest.TempPathFactory, points: np.ndarray
    ) -> None:
        path = tmp_path_factory.mktemp("ply") / "c.ply"
        count = write_ply(path, points)
        body = path.read_bytes().split(b"end_header\n", 1)[1]
        expected = [p for p in points.tolist() if all(map(np.isfinite, p))]
        assert count == len(expected)
        assert np.frombuffer(body, "<f4").reshape(-1, 3).tolist() == expected
