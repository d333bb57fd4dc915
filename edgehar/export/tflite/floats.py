"""The float graph's operations as TFLite operators; with `dynamic`, large weights are int8 and activations float32.

A vector is a tensor [1, n], a convnet's columns are [1, 1, columns, n]: width is time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.export.operations import emit_of
from edgehar.export.tflite.builder import BOOL, FLOAT32, Builder
from edgehar.export.tflite.model import TensorQuant
from edgehar.export.tflite.schema import TENSOR_TYPES, Activation, Padding
from edgehar.graph.graph import State
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
    float_of,
)

LEAST_DYNAMIC = 256
"""Weights of fewer values stay float32 in a dynamic-range file: their scales would cost what they save."""


class FloatEmitter:
    """`form.Emitter` for float32 activations."""

    def __init__(self, b: Builder, *, dynamic: bool) -> None:
        self.b, self.dynamic = b, dynamic
        self.tensors: dict[str, str] = {}

    def state_type(self, _: State) -> tuple[np.dtype[Any], TensorQuant | None]:
        return FLOAT32, None

    def before_loop(self, x: str) -> str:
        return x

    def bind_sample(self, x: str) -> None:
        self.tensors[TENSOR_X] = x

    def emit(self, op: Op) -> None:
        emit_of(EMITTERS, op, "TFLite")(self, op)

    def next_state(self, state: State) -> str:
        return self.tensors[state.next]

    def logits(self, name: str) -> str:
        return self.tensors[name]

    def linear(self, op: Linear) -> None:
        b, total = self.b, ""
        for i, term in enumerate(op.terms):
            w, bias = float_of(term.w), op.bias if i == 0 else None
            inputs = [
                self.tensors[term.x],
                self.weights(term.w.name, w, 0),
                b.floats(bias.name, bias.value) if bias else None,
            ]
            hybrid = int(not self.small(w))
            y = b.op("FULLY_CONNECTED", inputs, (1, len(w)), asymmetric_quantize_inputs=hybrid)
            total = y if i == 0 else b.op("ADD", [total, y])
        self.tensors[op.out] = total

    def expand(self, op: Expand) -> None:
        b, (channels, pop) = self.b, op.w.value.shape
        column = b.reshape(self.tensors[op.x], (channels, 1))
        driven = b.op("MUL", [column, b.floats(op.w.name, op.w.value)], (channels, pop))
        self.tensors[op.out] = b.reshape(b.op("ADD", [driven, b.floats(op.b.name, op.b.value)]), (1, channels * pop))

    def legendre(self, op: Legendre) -> None:
        b = self.b
        ab = np.concatenate([float_of(op.a), float_of(op.b)[:, None]], axis=1)
        order = len(ab)
        memory = b.shape(self.tensors[op.x])[1] // order
        rows = [b.reshape(self.tensors[op.x], (memory, order)), b.reshape(self.tensors[op.u], (memory, 1))]
        joined = b.op("CONCATENATION", rows, (memory, order + 1), axis=1)
        held = b.op("FULLY_CONNECTED", [joined, b.floats(f"{op.a.name}_{op.b.name}", ab), None], (memory, order))
        held = b.reshape(held, (1, memory * order))
        self.tensors[op.out] = held if op.gain is None else b.op("MUL", [held, self.row(op.gain)])

    def gated(self, op: GatedUpdate) -> None:
        b, pre = self.b, self.tensors[op.pre]
        zeta, nu = float(float_of(op.zeta)[0]), float(float_of(op.nu)[0])
        z = b.op("LOGISTIC", [b.op("ADD", [pre, self.row(op.b_z)])])
        g = b.op("TANH", [b.op("ADD", [pre, self.row(op.b_h)])])
        shrunk = b.op("MUL", [z, b.floats("minus_zeta", [[-zeta]])])
        mixed = b.op("ADD", [shrunk, b.floats("zeta_plus_nu", [[zeta + nu]])])
        self.tensors[op.out] = b.op("ADD", [b.op("MUL", [mixed, g]), b.op("MUL", [z, self.tensors[op.h]])])

    def gru(self, op: GruUpdate) -> None:
        b, h = self.b, self.tensors[op.h]
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (split_gates(b, self.tensors[name]) for name in (op.from_x, op.from_h))
        r, z = b.op("LOGISTIC", [b.op("ADD", [x_r, h_r])]), b.op("LOGISTIC", [b.op("ADD", [x_z, h_z])])
        n = b.op("TANH", [b.op("ADD", [x_n, b.op("MUL", [r, h_n])])])
        self.tensors[op.out] = b.op("ADD", [n, b.op("MUL", [z, b.op("SUB", [h, n])])])

    def lif(self, op: Lif) -> None:
        b, u, drive = self.b, self.tensors[op.potential], self.tensors[op.drive]
        threshold = self.row(op.threshold)
        if op.alpha is not None:
            drive = b.op("ADD", [b.op("MUL", [self.tensors[op.current], self.row(op.alpha)]), drive])
            self.tensors[op.current_out] = drive
        held = b.op("ADD", [b.op("MUL", [u, self.row(op.beta)]), drive])
        new = b.op("SUB", [held, b.op("MUL", [self.above(u, threshold), threshold])])
        self.tensors[op.potential_out] = new
        self.tensors[op.out] = self.above(new, threshold)

    def accumulate(self, op: Accumulate) -> None:
        self.tensors[op.out] = self.b.op("ADD", [self.tensors[op.total], self.tensors[op.x]])

    def conv(self, op: Conv) -> None:
        b, x = self.b, self.tensors[op.x]
        depthwise = is_depthwise(op.groups, b.shape(x)[3])
        stored = kernel_layout(float_of(op.w), depthwise=depthwise)
        grouped = op.groups > 1 and not depthwise  # no interpreter has this with int8 weights and float inputs
        w = b.floats(op.w.name, stored) if grouped else self.weights(op.w.name, stored, 3 if depthwise else 0)
        inputs = [x, w, b.floats(op.b.name, op.b.value)]
        relu = Activation.RELU if op.relu else Activation.NONE
        options = conv_options(b, x, op.stride, depthwise=depthwise, outputs=len(op.w.value))
        shape = (1, 1, (b.shape(x)[2] - op.kernel) // op.stride + 1, len(op.w.value))
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        y = b.op(kind, inputs, shape, activation=Activation.NONE if op.skip else relu, **options)
        if op.skip:
            y = b.op("ADD", [y, crop_columns(b, self.tensors[op.skip], op.skip_lag, shape[2])], activation=relu)
        self.tensors[op.out] = y

    def mean(self, op: Mean) -> None:
        x = self.tensors[op.x]
        self.tensors[op.out] = self.b.op("MEAN", [x, self.b.ints("time", [1, 2])], (1, self.b.shape(x)[3]))

    def row(self, constant: Constant) -> str:
        """A constant [1, n]."""
        return self.b.floats(constant.name, float_of(constant)[None])

    def above(self, u: str, threshold: str) -> str:
        """1.0 where u is above the threshold, else 0.0."""
        fired = self.b.op("GREATER", [u, threshold], dtype=BOOL)
        source, target = TENSOR_TYPES[BOOL], TENSOR_TYPES[FLOAT32]
        return self.b.op("CAST", [fired], dtype=FLOAT32, in_type=source, out_type=target)

    def small(self, w: NDArray[Any]) -> bool:
        """Whether these weights stay float32."""
        return not self.dynamic or w.size < LEAST_DYNAMIC

    def weights(self, name: str, w: NDArray[Any], axis: int) -> str:
        """Float32, or int8: symmetric, one scale for each output of a convolution, one for a whole matrix.

        Interpreters before TFLite 2.17 take no scale per row of a matrix with float inputs.
        """
        if self.small(w):
            return self.b.floats(name, w)
        largest = np.abs(w).max(axis=tuple(i for i in range(w.ndim) if i != axis), keepdims=True)
        if w.ndim == 2:
            largest = largest.max(keepdims=True)
        scale = np.maximum(largest.astype(np.float64), 1e-12) / 127
        quant = TensorQuant(tuple(scale.ravel().tolist()), (0,) * scale.size, axis if scale.size > 1 else 0)
        return self.b.const(name, np.rint(w / scale).clip(-127, 127).astype(np.int8), quant)


def split_gates(b: Builder, x: str) -> tuple[str, str, str]:
    """Three gates of equal size from [1, 3 n]."""
    n = b.shape(x)[1] // 3
    starts = [
        b.op("SLICE", [x, b.ints(f"at_{i * n}", [0, i * n]), b.ints(f"take_{n}", [1, n])], (1, n), quant=b.quant(x))
        for i in range(3)
    ]
    return starts[0], starts[1], starts[2]


def crop_columns(b: Builder, x: str, lag: int, columns: int) -> str:
    """Columns lag to lag + columns of [1, 1, t, n]."""
    n = b.shape(x)[3]
    if b.shape(x)[2] == columns:
        return x
    begin, size = b.ints(f"from_column_{lag}", [0, 0, lag, 0]), b.ints(f"columns_{columns}x{n}", [1, 1, columns, n])
    return b.op("SLICE", [x, begin, size], (1, 1, columns, n), quant=b.quant(x))


def is_depthwise(groups: int, inputs: int) -> bool:
    """Whether each input channel has kernels of its own."""
    return groups == inputs and groups > 1


def kernel_layout(w: NDArray[Any], *, depthwise: bool) -> NDArray[Any]:
    """Weights [out, in / groups, kernel] as TFLite has them: [out, 1, kernel, in / groups] or [1, 1, kernel, out]."""
    moved = w[:, 0].T[None, None] if depthwise else w.transpose(0, 2, 1)[:, None]
    return np.ascontiguousarray(moved)


def conv_options(b: Builder, x: str, stride: int, *, depthwise: bool, outputs: int) -> dict[str, Any]:
    """Options of a convolution over time without padding."""
    options: dict[str, Any] = {"padding": Padding.VALID, "stride_w": stride, "stride_h": 1}
    if depthwise:
        options["depth_multiplier"] = outputs // b.shape(x)[3]
        options["stride_h"] = stride  # the depthwise kernels take one stride for both axes; the height is 1
    return options


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
