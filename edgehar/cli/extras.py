"""Which extra brings an optional package: what to type where an import fails."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgehar.errors import MissingError, Reason

EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "torch": "train",
        "snntorch": "train",
        "sklearn": "train",
        "scipy": "train",
        "pooch": "train",
        "matplotlib": "report",
        "onnx": "export",
        "flatbuffers": "export",
        "onnxruntime": "ort",
        "ai_edge_litert": "litert",
        "serial": "serial",
        "bleak": "ble",
        "dbus_fast": "ble",
        "bumble": "virtual",
    }
)
"""Module -> extra, as in pyproject.toml."""


def missing_package(error: ModuleNotFoundError) -> MissingError | None:
    """What to say of an absent package that an extra brings; None for one that every installation has."""
    module = (error.name or "").partition(".")[0]
    extra = EXTRAS.get(module)
    if extra is None:
        return None
    return MissingError(
        f"this needs the package {module.replace('_', '-')}, which is not installed",
        reason=Reason.NOT_INSTALLED,
        hint=f"pip install 'edgehar[{extra}]'",
    )
