"""What a peer is: another runtime on the same model, in a setting of its own, deciding one whole window."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason
from edgehar.types import FloatArray

Window = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True)
class Desk:
    """What only the desk side can make of a bundle. It is handed in, because benchmarks run on devices too.

    `file(bundle, kind, form)`: the bundle's file of a kind ("tflite", "onnx") and a form ("window", "step").
    `module(bundle, directory)` writes the exported C module. `model(bundle)`: the torch model in evaluation mode.
    """

    file: Callable[[Bundle, str, str], bytes]
    module: Callable[[Bundle, Path], None]
    model: Callable[[Bundle], Any]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One runtime in one setting: `window` gives the logits of one window x [window, inputs].

    `push`, where the runtime has it, advances a stream by x [n, inputs].
    """

    name: str
    setting: str
    version: str
    window: Window
    push: Callable[[FloatArray], object] | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """Those of a peer that could start, and why others could not (setting -> reason)."""

    contestants: list[Contestant]
    absent: Mapping[str, str] = field(default_factory=dict)


def dtype_of(bundle: Bundle) -> str:
    """What the bundle's files compute in."""
    return "float32" if bundle.manifest.quant is None else str(bundle.manifest.quant["scheme"])


def need(module: str, package: str, extra: str) -> None:
    """Raise MissingError unless the package can be imported."""
    try:
        importlib.import_module(module)
    except ImportError:
        raise MissingError(
            f"the package {package} is not installed", reason=Reason.NOT_INSTALLED, hint=f"pip install '{extra}'"
        ) from None
