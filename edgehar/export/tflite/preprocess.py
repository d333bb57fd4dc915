"""A bundle's preprocessing as float32 operators, on one sample [1, channels] or a window [samples, channels].

Filters with a memory are no part of a file (`edgehar.export.preprocess`).

asinh is not a TFLite operator: asinh(v) = sign(v) log(|v| + sqrt(v^2 + 1)), sign(v) = min(max(v 2^100, -1), 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgehar.export.preprocess import Operation, channels_after, emitter_of
from edgehar.export.tflite.builder import Builder

STEEP = 2.0**100  # times a normal float32 it is at least 2^-26, where asinh is far below float32's resolution of 1


def emit_preprocess(b: Builder, ops: Sequence[Operation], channels: Sequence[str], x: str) -> str:
    """Append `ops` to the subgraph; x is [rows, channels]. Returns the tensor behind them."""
    for i, op in enumerate(ops):
        emit = emitter_of(EMITTERS, op, "TFLite", also="; filters stay outside the file")
        x = emit(b, op, channels_after(ops[:i], channels), x)
    return x


def _row(b: Builder, values: Any, stem: str) -> str:
    """A constant [1, channels]; the name is new."""
    return b.floats(f"{stem}_{len(b.graph.tensors)}", np.asarray(values, np.float64)[None])


def _select(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    columns = [channels.index(name) for name in op["channels"]]
    if columns == list(range(len(channels))):
        return x
    index = b.ints(f"columns_{len(b.graph.tensors)}", columns)
    return b.op("GATHER", [x, index], (b.shape(x)[0], len(columns)), axis=1)


def _scale(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    return b.op("MUL", [x, _row(b, op["factors"], "factors")])


def _normalize(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    centred = b.op("SUB", [x, _row(b, op["mean"], "mean")])
    return b.op("MUL", [centred, _row(b, 1 / np.asarray(op["std"], np.float64), "inverse_std")])


def _rectify(b: Builder, _: Operation, __: Sequence[str], x: str) -> str:
    return b.op("ABS", [x])


def _compand(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    gain = np.asarray(op["gain"], np.float64)
    on = gain > 0
    v = b.op("MUL", [x, _row(b, gain, "gain")])
    magnitude = b.op("ABS", [v])
    one = b.floats("one", np.ones((1, 1)))
    root = b.op("SQRT", [b.op("ADD", [b.op("MUL", [v, v]), one])])
    log = b.op("LOG", [b.op("ADD", [magnitude, root])])
    steep = b.op("MUL", [v, b.floats("steep", [[STEEP]])])
    sign = b.op("MINIMUM", [b.op("MAXIMUM", [steep, b.floats("minus_one", -np.ones((1, 1)))]), one])
    scale = np.divide(1, np.arcsinh(gain), out=np.zeros_like(gain), where=on)
    companded = b.op("MUL", [b.op("MUL", [sign, log]), _row(b, scale, "inverse_asinh")])
    if on.all():
        return companded
    return b.op("ADD", [companded, b.op("MUL", [x, _row(b, ~on, "left_alone")])])


def _magnitude(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    groups = np.array([[name in group for name in channels] for group in op["groups"]], np.float32)
    matrix = b.floats(f"groups_{len(b.graph.tensors)}", groups)
    sums = b.op("FULLY_CONNECTED", [b.op("MUL", [x, x]), matrix, None], (b.shape(x)[0], len(groups)))
    return b.op("SQRT", [sums])


def _concat(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    parts = [emit_preprocess(b, part, channels, x) for part in op["parts"]]
    width = sum(b.shape(part)[1] for part in parts)
    return b.op("CONCATENATION", parts, (b.shape(x)[0], width), axis=1)


EMITTERS: Mapping[str, Callable[[Builder, Operation, Sequence[str], str], str]] = {
    "select": _select,
    "scale": _scale,
    "normalize": _normalize,
    "rectify": _rectify,
    "compand": _compand,
    "magnitude": _magnitude,
    "concat": _concat,
}
