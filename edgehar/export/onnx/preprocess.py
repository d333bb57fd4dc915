"""A bundle's instantaneous preprocessing as ONNX nodes on tensors [..., channels]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgehar.export.onnx.builder import Builder
from edgehar.export.preprocess import Operation, channels_after, emitter_of


def emit_preprocess(b: Builder, ops: Sequence[Operation], channels: Sequence[str], x: str) -> str:
    """Append `ops`; returns the tensor behind them. Raises UsageError naming an operation that has no node."""
    for i, op in enumerate(ops):
        emit = emitter_of(EMITTERS, op, "ONNX", also="; filters stay outside the file")
        x = emit(b, op, channels_after(ops[:i], channels), x)
    return x


def _row(b: Builder, values: Any, stem: str) -> str:
    return b.const(f"{b.scope}{stem}", np.asarray(values, np.float64))


def _select(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    columns = [channels.index(name) for name in op["channels"]]
    if columns == list(range(len(channels))):
        return x
    return b.op("Gather", [x, b.const(f"{b.scope}columns", columns, np.int64)], axis=-1)


def _scale(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    return b.op("Mul", [x, _row(b, op["factors"], "factors")])


def _normalize(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    return b.op("Div", [b.op("Sub", [x, _row(b, op["mean"], "mean")]), _row(b, op["std"], "std")])


def _compand(b: Builder, op: Operation, _: Sequence[str], x: str) -> str:
    gain = np.asarray(op["gain"], np.float64)
    on = gain > 0
    bent = b.op("Asinh", [b.op("Mul", [x, _row(b, gain, "gain")])])
    bent = b.op("Mul", [bent, _row(b, np.divide(1, np.arcsinh(gain), out=np.zeros_like(gain), where=on), "unbend")])
    return bent if on.all() else b.op("Where", [b.const(f"{b.scope}bent", on, np.bool_), bent, x])


def _rectify(b: Builder, _: Operation, __: Sequence[str], x: str) -> str:
    return b.op("Abs", [x])


def _magnitude(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    # A channel may stand twice in a group; then its square counts twice.
    members = np.array([[group.count(name) for group in op["groups"]] for name in channels], np.float32)
    return b.op("Sqrt", [b.op("MatMul", [b.op("Mul", [x, x]), _row(b, members, "groups")])])


def _concat(b: Builder, op: Operation, channels: Sequence[str], x: str) -> str:
    return b.op("Concat", [emit_preprocess(b, part, channels, x) for part in op["parts"]], axis=-1)


EMITTERS: Mapping[str, Callable[[Builder, Operation, Sequence[str], str], str]] = {
    "select": _select,
    "scale": _scale,
    "normalize": _normalize,
    "compand": _compand,
    "rectify": _rectify,
    "magnitude": _magnitude,
    "concat": _concat,
}
