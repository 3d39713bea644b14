"""Pages for people: one file, pictures inside, nothing from the network, light and dark."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from PIL import Image

from da_ros.pictures.sheet import fit_width

ByteImage = npt.NDArray[np.uint8]

LEAST_ROOM = 480
"""Pictures are not blown up beyond their own width, but small ones to this [px]."""


@dataclass(frozen=True)
class Figure:
    """One picture on a page.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        caption: One line below it.
        lossless: Embed as PNG (drawings, colour maps) instead of JPEG (photos).
    """

    picture: ByteImage
    caption: str
    lossless: bool = False


@dataclass(frozen=True)
class Section:
    """A titled part of a page: pictures side by side, a table of facts, links to files.

    Attributes:
        title: Heading.
        figures: Pictures.
        facts: Name to value, shown as a table.
        files: Link text to path; paths are relative to the page.
        notes: Paragraphs, shown before the pictures.
    """

    title: str
    figures: Sequence[Figure] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def write_page(
    path: Path, title: str, sections: Sequence[Section], intro: Sequence[str] = ()
) -> None:
    """Write a page that needs no other file to be seen.

    Args:
        path: File to write.
        title: Heading and title of the window.
        sections: In their order on the page.
        intro: Paragraphs under the heading.
    """
    parts = [f"<h1>{escape(title)}</h1>", *_paragraphs(intro)]
    parts += [_section(section) for section in sections]
    page = _FRAME.format(title=escape(title), style=_STYLE, body="\n".join(parts))
    # A file name need not be UTF-8; its stray bytes are shown as question marks.
    path.write_text(page, encoding="utf-8", errors="replace")


def embedded(picture: ByteImage, lossless: bool = False, width: int = 1240) -> str:
    """Turn a picture into a ``data:`` address.

    Args:
        picture: (H, W, 3) uint8 RGB.
        lossless: PNG instead of JPEG.
        width: Larger pictures are scaled down to this [px].

    Returns:
        The address, for ``<img src=...>``.
    """
    image = Image.fromarray(fit_width(picture, min(width, picture.shape[1])))
    data = io.BytesIO()
    if lossless:
        image.save(data, "PNG")
    else:
        image.save(data, "JPEG", quality=88)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _section(section: Section) -> str:
    parts = [f"<section><h2>{escape(section.title)}</h2>", *_paragraphs(section.notes)]
    if section.figures:
        parts.append('<div class="figures">')
        parts += [_figure(figure) for figure in section.figures]
        parts.append("</div>")
    if section.facts:
        rows = (
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in section.facts.items()
        )
        parts.append(f"<table>{''.join(rows)}</table>")
    if section.files:
        links = (
            f'<a href="{escape(quote(os.fsencode(target)))}">{escape(name)}</a>'
            for name, target in section.files.items()
        )
        parts.append(f'<p class="files">{" ".join(links)}</p>')
    return "\n".join([*parts, "</section>"])


def _figure(figure: Figure) -> str:
    source = embedded(figure.picture, figure.lossless)
    caption = escape(figure.caption)
    height, width = figure.picture.shape[:2]
    # Shares of the width by shape keep the pictures of one row equally high; were their sum below
    # 1, some of the row would stay empty.
    return (
        f'<figure style="flex: {100 * width / height:.0f}; '
        f'max-width: {max(width, LEAST_ROOM)}px"><img src="{source}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _paragraphs(texts: Sequence[str]) -> list[str]:
    return [f"<p>{escape(text)}</p>" for text in texts]


_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1f22; --paper: #fafafa; --soft: #666b73;
  --line: #d9dce0; --link: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6e9; --paper: #17191c; --soft: #9aa1ab; --line: #33373d; --link: #7db7f0; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; } h1, h2, p { overflow-wrap: anywhere; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }
.figures { display: flex; flex-wrap: wrap; gap: .75rem; align-items: flex-start; }
figure { margin: 0; min-width: 240px; } img { width: 100%; display: block; }
figcaption { color: var(--soft); font-size: .85rem; }
table { border-collapse: collapse; margin-top: .75rem; font-size: .9rem; }
th { text-align: left; font-weight: 500; color: var(--soft); padding: .1rem 1.5rem .1rem 0;
  vertical-align: top; white-space: nowrap; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
a { color: var(--link); margin-right: 1rem; } .files { font-size: .9rem; }
"""
