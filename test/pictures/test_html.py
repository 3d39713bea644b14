"""Pages are one file: parsed here with the standard library's parser."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from da_ros.pictures.html import Figure, Section, embedded, write_page

PICTURE = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3)


class Reader(HTMLParser):
    """Collects tags and text, and notices what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def page_of(path: Path, section: Section) -> str:
    write_page(path, "A <title>", [section], intro=["Five < six & so on."])
    return path.read_text(encoding="utf-8")


class TestWritePage:
    def test_nothing_comes_from_elsewhere(self, tmp_path: Path) -> None:
        page = page_of(tmp_path / "p.html", Section("s", [Figure(PICTURE, "c")]))
        sources = [a["src"] for tag, a in Reader(page).tags if tag == "img"]
        assert len(sources) == 1
        assert all(str(source).startswith("data:image/") for source in sources)
        assert not re.search(r"https?://|//cdn|<script|<link|@import|url\(", page)

    def test_light_and_dark(self, tmp_path: Path) -> None:
        page = page_of(tmp_path / "p.html", Section("s"))
        assert "prefers-color-scheme: dark" in page
        assert "color-scheme: light dark" in page

    def test_facts_files_and_notes(self, tmp_path: Path) -> None:
        section = Section(
            "s", facts={"model": "nano"}, files={"cloud": "a b#1.ply"}, notes=["nominal"]
        )
        reader = Reader(page_of(tmp_path / "p.html", section))
        assert {"model", "nano", "nominal", "cloud"} <= set(reader.texts)
        assert [a["href"] for tag, a in reader.tags if tag == "a"] == ["a%20b%231.ply"]

    @given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30))
    def test_any_name_is_only_text(
        self, tmp_path_factory: pytest.TempPathFactory, text: str
    ) -> None:
        section = Section(text, [Figure(PICTURE, text)], {text: text}, {text: "x"}, [text])
        reader = Reader(page_of(tmp_path_factory.mktemp("p") / "p.html", section))
        assert reader.open == []
        assert "".join(reader.texts).count(text) >= 6
        plain = Reader(
            page_of(
                tmp_path_factory.mktemp("p") / "p.html",
                Section("s", [Figure(PICTURE, "s")], {"s": "s"}, {"s": "x"}, ["s"]),
            )
        )
        assert [tag for tag, _ in reader.tags] == [tag for tag, _ in plain.tags]


class TestEmbedded:
    @staticmethod
    def decoded(address: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))

    def test_lossless_is_exact(self) -> None:
        image = self.decoded(embedded(PICTURE, lossless=True))
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), PICTURE)

    def test_photo_is_a_jpeg_scaled_down(self) -> None:
        image = self.decoded(embedded(np.full((500, 2000, 3), 90, np.uint8), width=800))
        assert image.format == "JPEG"
        assert image.size == (800, 200)
