"""Weights files, in: identified by their sha256, read as tensors only, and fitted strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from da_ros.errors import WeightsError
from da_ros.network.build import empty_state
from da_ros.network.checkpoint_faults import (
    Container,
    check_no_other_model,
    check_zip_contents,
    container_of,
    pickle_fault,
)
from da_ros.network.depth_anything import UNUSED_KEYS
from da_ros.network.digest import cached_sha256
from da_ros.network.key_maps import layout_of, official_names, unknown_layout_message
from da_ros.network.spec import DepthAnythingSpec
from da_ros.network.variants import REGISTRY, Registry, Variant, variant_of_sha256
from da_ros.types import ModelInfo

WRAPPERS = ("model", "state_dict", "model_state_dict", "network", "params")
"""Under which training programs put the weights, beside optimizer and epoch."""

NAMED_AT_MOST = 3


@dataclass(frozen=True, eq=False)
class LoadedWeights:
    """Weights that fit their network exactly.

    Attributes:
        state_dict: Float32 on the CPU, by official name, just what the network loads.
        variant: The model they belong to.
        info: Who they are, for predictions and logs.
    """

    state_dict: dict[str, Tensor]
    variant: Variant
    info: ModelInfo


def load_weights(
    path: str | Path, variant: Variant | None = None, registry: Registry = REGISTRY
) -> LoadedWeights:
    """Load a weights file, having made sure what it is.

    A file whose sha256 is in the registry is what the registry says. Any other one is what the
    caller says, and is called unverified.

    Args:
        path: A .pth (tensors only) or .safetensors file, official or Hugging Face names.
        variant: What the caller says it is; needed for a file of unknown hash.
        registry: Rows and hashes.

    Returns:
        The weights, ready for ``load_state_dict`` of ``build_network(result.variant)``.

    Raises:
        WeightsError: If the file is missing, damaged, unsafe, another model than asked for, of
            unknown hash with no variant given, or does not fit; ``fault`` says which.
    """
    path = Path(path)
    container = container_of(path)
    digest = cached_sha256(path)
    known = variant_of_sha256(digest, registry)
    if known is not None and variant is not None and known.name != variant.name:
        raise WeightsError(
            "other_model",
            f"{path} is {known.name} (its sha256 says so), not {variant.name}; ask for "
            f"{known.name}, or get the file with `da_ros models fetch {variant.name}`",
        )
    tensors = read_tensors(path, container, check_damage=known is None)
    chosen = known or variant
    if chosen is None:
        raise _unnamed(path, digest, tensors, registry)
    state = fit_to(chosen, tensors, path)
    return LoadedWeights(state, chosen, _info_of(chosen, digest, verified=known is not None))


def read_tensors(path: Path, container: Container, check_damage: bool = True) -> dict[str, Tensor]:
    """Read the tensors of a weights file; nothing in it is executed.

    Args:
        path: The file.
        container: What ``container_of`` said.
        check_damage: Whether to compare the checksums inside; a known sha256 makes it needless.

    Returns:
        CPU tensors by the file's own names.

    Raises:
        WeightsError: If it cannot be read, holds code, or is another network.
    """
    if container == "safetensors":
        tensors: Any = _read_safetensors(path)
    else:
        if container == "zip" and check_damage:
            check_zip_contents(path)
        tensors = _unwrapped(_read_pickle(path, container))
    if not isinstance(tensors, Mapping) or not tensors or not all(map(_is_entry, tensors.items())):
        raise WeightsError("unknown_layout", f"{path} holds no dictionary of named tensors")
    check_no_other_model(path, tensors)
    return dict(tensors)


def fit_to(variant: Variant, tensors: Mapping[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Make exactly the state dict of a variant's network, or say what does not fit.

    Args:
        variant: The model.
        tensors: By official, Hugging Face or (for nano) its own names.
        source: For messages.

    Returns:
        Float32 tensors, every name of the network and no other.

    Raises:
        WeightsError: If names are missing or left over, or a shape is wrong.
    """
    state = dict(tensors)
    if isinstance(variant.architecture, DepthAnythingSpec):
        try:
            state = official_names(tensors)
        except WeightsError as error:
            raise WeightsError(error.fault, f"{source}: {error}") from error
    expected = empty_state(variant)
    state = {n: t for n, t in state.items() if n in expected or not n.startswith(UNUSED_KEYS)}
    _check_names(variant, expected, state, source)
    _check_shapes(variant, expected, state, source)
    # Contiguous, since the network takes these tensors over as they are and may write to them.
    return {name: state[name].to(torch.float32).contiguous() for name in expected}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path, device="cpu"))
    except (SafetensorError, ValueError, KeyError, OSError) as error:
        message = f"{path} cannot be read as .safetensors: {error}"
        raise WeightsError("unknown_layout", message) from error


def _read_pickle(path: Path, container: Container) -> Any:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its remarks on pickle protocols help nobody here
            return torch.load(path, map_location="cpu", weights_only=True)
    # The restricted unpickler meets hostile bytes here and fails in whatever way they choose.
    except Exception as error:
        raise pickle_fault(path, container, error) from error


def _unwrapped(content: Any) -> Any:
    while isinstance(content, Mapping):
        inner = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    return content


def _is_entry(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _check_names(
    variant: Variant, expected: Mapping[str, Tensor], state: Mapping[str, Tensor], source: Path
) -> None:
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected:
        raise WeightsError(
            "keys",
            f"{source} does not fit {variant.name}: {_listed(missing)} missing, "
            f"{_listed(unexpected)} unexpected",
        )


def _check_shapes(
    variant: Variant, expected: Mapping[str, Tensor], state: Mapping[str, Tensor], source: Path
) -> None:
    wrong = [name for name in expected if state[name].shape != expected[name].shape]
    if wrong:
        name = wrong[0]
        raise WeightsError(
            "shapes",
            f"{source} does not fit {variant.name}: {name} has shape {tuple(state[name].shape)}, "
            f"expected {tuple(expected[name].shape)} ({len(wrong)} of {len(expected)} differ)",
        )
    strange = [name for name in expected if not _is_plain_float(state[name])]
    if strange:
        raise WeightsError(
            "shapes",
            f"{source} does not fit {variant.name}: {strange[0]} is {state[strange[0]].dtype}, "
            f"expected plain floating-point numbers ({len(strange)} of {len(expected)} differ)",
        )


def _is_plain_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.layout == torch.strided


def _listed(names: list[str]) -> str:
    if not names:
        return "none"
    more = ", ..." if len(names) > NAMED_AT_MOST else ""
    return f"{len(names)} ({', '.join(names[:NAMED_AT_MOST])}{more})"


def _unnamed(
    path: Path, digest: str, tensors: Mapping[str, Tensor], registry: Registry
) -> WeightsError:
    """The error for a file that nobody has named, with the rows that its tensors fit."""
    fitting = [name for name, row in registry.items() if _fits(row, tensors, path)]
    who = f"{path} (sha256 {digest[:16]}...) is not in the registry"
    if fitting:
        return WeightsError(
            "unknown_file",
            f"{who}, and its tensors fit {', '.join(fitting)}: only you know which it is, and a "
            "wrong guess gives garbage that looks like depth; name it with --variant "
            "(node: model_variant)",
        )
    if layout_of(tensors) is None:
        return WeightsError("unknown_layout", f"{path}: {unknown_layout_message(tensors)}")
    return WeightsError("unknown_file", f"{who}, and its tensors fit no model that da_ros knows")


def _fits(variant: Variant, tensors: Mapping[str, Tensor], source: Path) -> bool:
    own = layout_of(tensors) is None
    if own == isinstance(variant.architecture, DepthAnythingSpec):
        return False
    on_meta = {name: tensor.to("meta") for name, tensor in tensors.items()}
    try:
        fit_to(variant, on_meta, source)
    except WeightsError:
        return False
    return True


def _info_of(variant: Variant, digest: str, verified: bool) -> ModelInfo:
    return ModelInfo(
        model_id=variant.name,
        sha256=digest,
        verified=verified,
        kind=variant.kind,
        max_depth=variant.max_depth,
        reference_inverse_depth=variant.reference_inverse_depth,
        licence=variant.licence_line if verified else "unknown",
    )
