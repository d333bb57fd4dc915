"""A convnet's integer graph as float nodes between QuantizeLinear and DequantizeLinear, which runtimes fuse to int8.

Integers, scales and zero points are those of `edgehar.graph.quantise`; a runtime rounds its products in float32, so
its columns may differ from the integer graph's by a unit. Means and logits stay float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import Reason, UsageError
from edgehar.export.onnx.builder import Builder
from edgehar.export.onnx.columns import SAMPLES_AS_COLUMNS, cropped, turned
from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import LIMITS
from edgehar.graph.intops import IntConv, IntLinear, IntMean, IntOp
from edgehar.graph.ops import TENSOR_X


class QdqEmitter:
    """`form.Emitter` for the int8 convnets; `tensors` holds the dequantised columns [windows, channels, time]."""

    def __init__(self, b: Builder, graph: IntGraph) -> None:
        self.b, self.graph = b, graph
        self.tensors: dict[str, str] = {}

    def emit(self, op: IntOp) -> None:
        """Append one operation; UsageError naming one that this emitter lacks."""
        if type(op) not in EMITTERS:
            raise UsageError(
                f"the int8 ONNX emitter has no operation '{type(op).__name__}'",
                reason=Reason.VALUE,
                hint=f"it has {', '.join(sorted(kind.__name__ for kind in EMITTERS))}; take --dtype dynamic",
            )
        EMITTERS[type(op)](self, op)

    def conv(self, op: IntConv) -> None:
        b, x, out = self.b, self.graph.quants[op.x], self.graph.quants[op.out]
        # The integer graph's multiplier is scale of w * scale of x / scale of out.
        w_scale = op.multiplier.value.astype(np.float64) * 2.0**-op.shift * out.scale / x.scale
        bias = op.b.value + x.zero_point * op.w.value.astype(np.int64).reshape(len(op.w.value), -1).sum(axis=1)
        inputs = [
            self.columns(op.x),
            self.constant(op.w.name, op.w.value, w_scale),
            self.constant(op.b.name, bias.astype(np.int32), w_scale * x.scale),
        ]
        y = b.op("Conv", inputs, strides=[op.stride], group=op.groups)
        if op.skip:
            y = b.op("Add", [y, cropped(b, self.columns(op.skip), op.skip_lag)])
        if op.low > LIMITS[out.dtype][0]:  # otherwise the smallest integer is zero, and saturation does it
            y = b.op("Relu", [y])
        self.tensors[op.out] = self.rounded(y, op.out)

    def mean(self, op: IntMean) -> None:
        self.tensors[op.out] = self.b.op("ReduceMean", [self.columns(op.x), self.b.ints([2])], op.out, keepdims=0)

    def linear(self, op: IntLinear) -> None:
        b, (term,) = self.b, op.terms
        scale = self.graph.quants[op.out].scale
        w = self.constant(term.w.name, term.w.value.T, np.array([scale / self.graph.quants[term.x].scale]))
        products = b.op("MatMul", [self.tensors[term.x], w], op.out if op.bias is None else "")
        if op.bias is not None:
            bias = b.const(op.bias.name, op.bias.value.astype(np.float64) * scale)
            products = b.op("Add", [products, bias], op.out)
        self.tensors[op.out] = products

    def columns(self, name: str) -> str:
        """The tensor as columns; the samples are turned and quantised once."""
        if name != TENSOR_X:
            return self.tensors[name]
        if SAMPLES_AS_COLUMNS not in self.tensors:
            self.tensors[SAMPLES_AS_COLUMNS] = self.rounded(turned(self.b, self.tensors[name]), TENSOR_X)
        return self.tensors[SAMPLES_AS_COLUMNS]

    def rounded(self, y: str, name: str) -> str:
        """To integers and back, at the meaning that the integer graph gives the tensor `name`."""
        quant = self.graph.quants[name]
        meaning = [
            self.b.const(f"{name}.scale", quant.scale),
            self.b.const(f"{name}.zero", quant.zero_point, np.dtype(quant.dtype)),
        ]
        integers = self.b.op("QuantizeLinear", [y, *meaning], f"{name}.int")
        return self.b.op("DequantizeLinear", [integers, *meaning], f"{name}.float")

    def constant(self, name: str, value: NDArray[Any], scale: NDArray[np.float64]) -> str:
        """Integers with their scale, or one for each output."""
        stored = self.b.const(name, value, value.dtype)
        scales = self.b.const(f"{name}.scale", scale if len(scale) > 1 else scale[0])
        axis = {"axis": 0} if len(scale) > 1 else {}
        return self.b.op("DequantizeLinear", [stored, scales], f"{name}.float", **axis)


EMITTERS: Mapping[type[IntOp], Callable[[QdqEmitter, Any], None]] = {
    IntConv: QdqEmitter.conv,
    IntMean: QdqEmitter.mean,
    IntLinear: QdqEmitter.linear,
}
