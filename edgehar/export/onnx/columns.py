"""A convnet's tensors in ONNX: columns of time [windows, channels, time]; the samples are [windows, time, channels]."""

from __future__ import annotations

from edgehar.export.onnx.builder import Builder

SAMPLES_AS_COLUMNS = "x.columns"
"""Under this name an emitter keeps the samples once they are turned; the graph has no tensor of that name."""


def turned(b: Builder, x: str) -> str:
    """Samples as columns."""
    return b.op("Transpose", [x], SAMPLES_AS_COLUMNS, perm=[0, 2, 1])


def cropped(b: Builder, x: str, lag: int) -> str:
    """The columns without `lag` of them at either side."""
    return between(b, x, lag, -lag) if lag else x


def between(b: Builder, x: str, first: int, end: int, name: str = "") -> str:
    """Columns from `first` to before `end`."""
    return b.op("Slice", [x, b.ints([first]), b.ints([end]), b.ints([2])], name)
