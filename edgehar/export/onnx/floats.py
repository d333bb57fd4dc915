"""The float graph's operations as ONNX nodes on tensors [..., n]: one sample of a batch, or all samples of a window.

Matrices are stored transposed, [columns, rows], so that `x w` works at any rank. With `dynamic`, large ones are int8
with one scale for each output and a DequantizeLinear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from edgehar.export.onnx.builder import Builder
from edgehar.export.onnx.columns import SAMPLES_AS_COLUMNS, cropped, turned
from edgehar.export.operations import emit_of
from edgehar.graph.ops import (
    TENSOR_X,
    Accumulate,
    Constant,
    Conv,
    Expand,
    GatedUpdate,
    GruUpdate,
    Legendre,
    Lif,
    Linear,
    Mean,
    Op,
    Term,
    float_of,
)
from edgehar.types import FloatArray

LEAST_DYNAMIC = 256
"""Matrices of fewer values stay float32: their scales and the node would cost what they save."""


class FloatEmitter:
    """`form.Emitter` for float32 arithmetic. `shared` holds the weights; a Scan's body reads them."""

    def __init__(self, b: Builder, shared: Builder, *, dynamic: bool = False) -> None:
        self.b, self.shared, self.dynamic = b, shared, dynamic
        self.tensors: dict[str, str] = {}

    def emit(self, op: Op) -> None:
        """Append one operation, whose inputs are in `tensors`."""
        emit_of(EMITTERS, op, "ONNX")(self, op)

    def matrix(self, w: Constant, *, transpose: bool = True) -> str:
        """A weight [rows, ...]; dynamic ones are dequantised once, outside the loop."""
        value = float_of(w)
        if not self.dynamic or value.size < LEAST_DYNAMIC:
            return self.shared.const(w.name, value.T if transpose else value)
        name = f"{w.name}.float32"
        if name not in self.tensors:
            ints, scales = _int8_rows(value)
            stored = self.shared.const(w.name, ints.T if transpose else ints, np.int8)
            inputs = [stored, self.shared.const(f"{w.name}.scale", scales)]
            self.tensors[name] = self.shared.op("DequantizeLinear", inputs, name, axis=1 if transpose else 0)
        return self.tensors[name]

    def const(self, c: Constant) -> str:
        return self.shared.const(c.name, float_of(c))

    def product(self, terms: tuple[Term, ...], bias: Constant | None, so_far: str = "", name: str = "") -> str:
        """Sum of `so_far`, w x of all terms, and the bias."""
        b, parts = self.b, [so_far] if so_far else []
        for term in terms:
            last = bias is None and term is terms[-1] and not parts
            parts.append(b.op("MatMul", [self.tensors[term.x], self.matrix(term.w)], name if last else ""))
        parts += [] if bias is None else [self.const(bias)]
        total = parts[0]
        for i, part in enumerate(parts[1:], start=2):
            total = b.op("Add", [total, part], name if i == len(parts) else "")
        return total

    def linear(self, op: Linear) -> None:
        self.tensors[op.out] = self.product(op.terms, op.bias, name=op.out)

    def expand(self, op: Expand) -> None:
        channels, pop = op.w.value.shape
        each = self.shared.const(f"{op.out}.channels", np.repeat(np.arange(channels), pop), np.int64)
        spread = self.b.op("Gather", [self.tensors[op.x], each], axis=-1)
        w, bias = (self.shared.const(c.name, float_of(c).ravel()) for c in (op.w, op.b))
        self.tensors[op.out] = self.b.op("Add", [self.b.op("Mul", [spread, w]), bias], op.out)

    def legendre(self, op: Legendre) -> None:
        b, order = self.b, op.b.value.shape[0]
        rows = b.op("Reshape", [self.tensors[op.x], b.ints([0, -1, order])])
        held = b.op("MatMul", [rows, self.matrix(op.a)])
        driven = b.op("Mul", [b.op("Unsqueeze", [self.tensors[op.u], b.ints([-1])]), self.const(op.b)])
        total = b.op("Add", [held, driven])
        flat = b.op("Reshape", [total, b.ints([0, -1])], op.out if op.gain is None else "")
        self.tensors[op.out] = flat if op.gain is None else b.op("Mul", [flat, self.const(op.gain)], op.out)

    def gated(self, op: GatedUpdate) -> None:
        """Emits out = (zeta + nu - zeta z) g + z h."""
        b, pre = self.b, self.tensors[op.pre]
        z = b.op("Sigmoid", [b.op("Add", [pre, self.const(op.b_z)])])
        g = b.op("Tanh", [b.op("Add", [pre, self.const(op.b_h)])])
        whole = self.shared.const(f"{op.zeta.name}_{op.nu.name}", float_of(op.zeta) + float_of(op.nu))
        a = b.op("Sub", [whole, b.op("Mul", [z, self.const(op.zeta)])])
        fresh, kept = b.op("Mul", [a, g]), b.op("Mul", [z, self.tensors[op.h]])
        self.tensors[op.out] = b.op("Add", [fresh, kept], op.out)

    def gru(self, op: GruUpdate) -> None:
        """Emits out = n + z (h - n)."""
        b, h = self.b, self.tensors[op.h]
        x_r, x_z, x_n = b.ops("Split", [self.tensors[op.from_x]], [""] * 3, axis=-1, num_outputs=3)
        h_r, h_z, h_n = b.ops("Split", [self.tensors[op.from_h]], [""] * 3, axis=-1, num_outputs=3)
        r, z = (b.op("Sigmoid", [b.op("Add", pair)]) for pair in ([x_r, h_r], [x_z, h_z]))
        n = b.op("Tanh", [b.op("Add", [x_n, b.op("Mul", [r, h_n])])])
        self.tensors[op.out] = b.op("Add", [n, b.op("Mul", [z, b.op("Sub", [h, n])])], op.out)

    def lif(self, op: Lif) -> None:
        b, threshold = self.b, self.const(op.threshold)
        drive, u = self.tensors[op.drive], self.tensors[op.potential]
        if op.alpha is not None:
            kept = b.op("Mul", [self.tensors[op.current], self.const(op.alpha)])
            drive = self.tensors[op.current_out] = b.op("Add", [kept, drive], op.current_out)
        leaked = b.op("Add", [b.op("Mul", [u, self.const(op.beta)]), drive])
        reset = b.op("Mul", [self.fired(u, threshold), threshold])
        new = self.tensors[op.potential_out] = b.op("Sub", [leaked, reset], op.potential_out)
        self.tensors[op.out] = self.fired(new, threshold, op.out)

    def fired(self, u: str, threshold: str, name: str = "") -> str:
        """1 where u is above the threshold, else 0."""
        return self.b.op("Cast", [self.b.op("Greater", [u, threshold])], name, to=TensorProto.FLOAT)

    def accumulate(self, op: Accumulate) -> None:
        self.tensors[op.out] = self.b.op("Add", [self.tensors[op.total], self.tensors[op.x]], op.out)

    def conv(self, op: Conv) -> None:
        b, x = self.b, self.columns(op.x)
        inputs = [x, self.matrix(op.w, transpose=False), self.const(op.b)]
        ends = not op.skip and not op.relu
        y = b.op("Conv", inputs, op.out if ends else "", strides=[op.stride], group=op.groups)
        if op.skip:
            y = b.op("Add", [y, cropped(b, self.columns(op.skip), op.skip_lag)], "" if op.relu else op.out)
        self.tensors[op.out] = b.op("Relu", [y], op.out) if op.relu else y

    def columns(self, name: str) -> str:
        """The tensor as columns; the samples are turned once."""
        if name != TENSOR_X:
            return self.tensors[name]
        if SAMPLES_AS_COLUMNS not in self.tensors:
            self.tensors[SAMPLES_AS_COLUMNS] = turned(self.b, self.tensors[name])
        return self.tensors[SAMPLES_AS_COLUMNS]

    def mean(self, op: Mean) -> None:
        inputs = [self.columns(op.x), self.b.ints([2])]
        self.tensors[op.out] = self.b.op("ReduceMean", inputs, op.out, keepdims=0)


def _int8_rows(value: FloatArray) -> tuple[Any, FloatArray]:
    """Symmetric int8 with one scale for each output row: value [rows, ...]."""
    largest = np.abs(value.astype(np.float64)).reshape(len(value), -1).max(axis=1)
    scales = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
    shape = (-1,) + (1,) * (value.ndim - 1)
    return np.rint(value / scales.reshape(shape)).clip(-127, 127).astype(np.int8), scales


EMITTERS: Mapping[type[Op], Callable[[FloatEmitter, Any], None]] = {
    Linear: FloatEmitter.linear,
    Expand: FloatEmitter.expand,
    Legendre: FloatEmitter.legendre,
    GatedUpdate: FloatEmitter.gated,
    GruUpdate: FloatEmitter.gru,
    Lif: FloatEmitter.lif,
    Accumulate: FloatEmitter.accumulate,
    Conv: FloatEmitter.conv,
    Mean: FloatEmitter.mean,
}
