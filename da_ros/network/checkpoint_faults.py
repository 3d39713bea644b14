"""What is wrong with a file that should hold weights, told from its bytes before torch sees it."""

from __future__ import annotations

import json
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Literal

from da_ros.errors import WeightsError

Container = Literal["safetensors", "zip", "pickle"]

HEAD_BYTES = 4096
OLD_CONTAINER_PICKLES = 5
LARGEST_HEADER = 100_000_000
"""Of a safetensors file, as its own reader has it [bytes]."""

_PAGE_BEGINNINGS = tuple(
    b"<" + tag
    for tag in (b"!doctype", b"html", b"head", b"body", b"meta", b"title", b"?xml", b"!--")
)

FETCH_HINT = "fetch the model again with `da_ros models fetch NAME`"
DATA_NAMES = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\.\w+|torch\.storage\.\w+|torch\.\w+Storage"
    r"|torch\.(Size|Tensor|device|serialization\.\w+|[a-z]+\d+\w*)|collections\.OrderedDict"
)
"""What a pickle of tensors imports, and nothing more."""

ZOEDEPTH_PARTS = ("seed_bin_regressor.", "conditional_log_binomial.", "attractors.")
DEPTH_ANYTHING_3_PARTS = ("sky_output_conv2.", "backbone.pretrained.")


def container_of(path: Path) -> Container:
    """Look at the first bytes of a file and say how to read it.

    Args:
        path: The file.

    Returns:
        ``safetensors``; ``zip`` (torch.save); ``pickle`` (torch.save before 1.6).

    Raises:
        WeightsError: If it is no weights file at all, or its end is missing.
    """
    head, size = _head_of(path)
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError("lfs_pointer", _lfs_message(path, head))
    if _is_html(head):
        raise WeightsError(
            "html",
            f"{path} is a web page, not weights: what was saved is the page about the file, or an "
            f"error or log-in page; {FETCH_HINT}",
        )
    if head.startswith(b"PK\x03\x04"):
        _check_zip(path, size)
        return "zip"
    if head[8:9] == b"{":
        _check_safetensors(path, size)
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    raise WeightsError(
        "unknown_layout",
        f"{path} is neither a .pth nor a .safetensors file (it begins with {head[:8]!r}); da_ros "
        "loads those two",
    )


def check_zip_contents(path: Path) -> None:
    """Compare every part of a .pth file with its checksum; torch itself does not.

    Args:
        path: A file whose container is ``zip``.

    Raises:
        WeightsError: If a part is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
        raise _truncated(path, f"it cannot be read to its end ({error})") from error
    if damaged is not None:
        raise _truncated(path, f"its part {damaged} does not match its checksum")


def pickle_fault(path: Path, container: Container, error: Exception) -> WeightsError:
    """Say why torch's tensors-only reader refused a file.

    Args:
        path: The file.
        container: ``zip`` or ``pickle``.
        error: What the reader raised.

    Returns:
        The error to raise.
    """
    pickled = _pickle_bytes(path, container)
    if any(part.encode() in pickled for part in ZOEDEPTH_PARTS):
        return zoedepth_fault(path)
    names, whole = _imported_names(pickled)
    strangers = [name for name in names if not DATA_NAMES.fullmatch(name)]
    if strangers:
        return WeightsError(
            "unsafe_pickle",
            f"{path} is a pickle that runs code on loading ({', '.join(strangers[:3])}); da_ros "
            "loads tensors only. Get the weights as .safetensors, or have whoever made the file "
            "save its state_dict()",
        )
    if not whole or not isinstance(error, pickle.UnpicklingError):
        return _truncated(path, "it ends in the middle or is damaged")
    return WeightsError(
        "unknown_layout", f"{path} is a pickle, but torch finds no tensors to load in it"
    )


def check_no_other_model(path: Path, names: Iterable[str]) -> None:
    """Refuse files of models that look related but are another network.

    Args:
        path: The file.
        names: Of its tensors.

    Raises:
        WeightsError: For ZoeDepth graphs (V1's own metric files) and Depth Anything 3.
    """
    names = list(names)
    if _any_contains(names, ZOEDEPTH_PARTS):
        raise zoedepth_fault(path)
    if _any_contains(names, DEPTH_ANYTHING_3_PARTS):
        raise WeightsError(
            "unknown_layout",
            f"{path} looks like Depth Anything 3, which da_ros does not run yet; "
            "`da_ros models list` names what it runs",
        )


def zoedepth_fault(path: Path) -> WeightsError:
    """Make the error for V1's metric files."""
    return WeightsError(
        "zoedepth",
        f"{path} is a ZoeDepth network (as are the metric files of Depth Anything V1, "
        "depth_anything_metric_depth_*.pt), which da_ros does not run; for metres fetch "
        "metric-indoor-small or metric-outdoor-small",
    )


def _head_of(path: Path) -> tuple[bytes, int]:
    """First bytes and size of a regular file that is not empty."""
    if path.is_dir():
        raise WeightsError("missing", f"{path} is a folder; expected a .pth or .safetensors file")
    if not path.exists():
        raise WeightsError("missing", f"there is no file {path}")
    if not path.is_file():
        raise WeightsError("missing", f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise WeightsError("missing", f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise _truncated(path, "it is empty (0 bytes)")
    return head, path.stat().st_size


def _truncated(path: Path, what: str) -> WeightsError:
    return WeightsError("truncated", f"{path} is not whole: {what}; {FETCH_HINT} or copy it again")


def _lfs_message(path: Path, head: bytes) -> str:
    size = re.search(rb"^size (\d+)", head, re.MULTILINE)
    figure = f" of a file of {int(size[1]):,} bytes" if size else ""
    return (
        f"{path} is a Git LFS pointer{figure}, not the weights; run `git lfs pull` where it was "
        f"cloned, or {FETCH_HINT}"
    )


def _is_html(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith(_PAGE_BEGINNINGS)


def _check_zip(path: Path, size: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # What hostile bytes make of zipfile is not only BadZipFile.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise _truncated(path, f"its end is missing (it has {size:,} bytes)") from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise WeightsError(
            "unknown_layout", f"{path} is a TorchScript program; da_ros loads a state_dict"
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise WeightsError("unknown_layout", f"{path} is a zip archive, but not one of torch.save")


def _check_safetensors(path: Path, size: int) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LARGEST_HEADER:
            raise WeightsError(
                "unknown_layout", f"{path} is no .safetensors file (header of {length} bytes)"
            )
        text = file.read(length)
    if len(text) < length:
        raise _truncated(path, f"it has {size:,} bytes, its header alone {8 + length:,}")
    expected = 8 + length + _end_of_tensors(path, text)
    if size < expected:
        raise _truncated(path, f"it has {size:,} of {expected:,} bytes")


def _end_of_tensors(path: Path, header: bytes) -> int:
    """Where the last tensor ends, counted from the end of the header [bytes]."""
    try:
        entries = json.loads(header)
        ends = [entry["data_offsets"][1] for key, entry in entries.items() if key[:2] != "__"]
        return max((int(end) for end in ends), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise WeightsError(
            "unknown_layout", f"{path} has a damaged .safetensors header"
        ) from error


def _any_contains(names: list[str], parts: tuple[str, ...]) -> bool:
    return any(part in name for name in names for part in parts)


def _pickle_bytes(path: Path, container: Container) -> bytes:
    """The pickled structure of a checkpoint; of the old container also part of its tensors."""
    if container == "pickle":
        with path.open("rb") as file:
            return file.read(LARGEST_HEADER)
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            return archive.read(name)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return b""


def _imported_names(pickled: bytes) -> tuple[list[str], bool]:
    """Names that pickles import, and whether all of them end; nothing is executed."""
    names: list[str] = []
    strings: list[str] = []
    stream = BytesIO(pickled)
    # The old container is five pickles (magic, version, system, data, keys), then the tensors.
    try:
        for _ in range(OLD_CONTAINER_PICKLES):
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    names.append(str(argument).replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL":
                    names.append(".".join(strings[-2:]))
                elif "UNICODE" in opcode.name:
                    strings.append(str(argument))
            if stream.tell() == len(pickled):
                break
    # Hostile bytes make genops fail in many ways; all of them mean that the pickle is not whole.
    except Exception:
        return names, False
    return names, bool(pickled)
