"""The integer graph as TFLite operators: the same integer weights and states; what lies between is finer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgehar.export.operations import emit_of
from edgehar.export.tflite.builder import INT32, Builder
from edgehar.export.tflite.exact import ExactEmitter, rounds_gates
from edgehar.export.tflite.fixedpoint import FixedPoint
from edgehar.export.tflite.form import Emitter
from edgehar.export.tflite.intconvs import emit_conv, emit_mean
from edgehar.export.tflite.intgates import emit_gated, emit_gru
from edgehar.export.tflite.intlinear import emit_linear
from edgehar.export.tflite.intspikes import emit_accumulate, emit_drive, emit_expand, emit_legendre, emit_lif
from edgehar.export.tflite.model import TensorQuant
from edgehar.graph.graph import IntGraph, State
from edgehar.graph.intops import (
    IntAccumulate,
    IntConv,
    IntExpand,
    IntGatedUpdate,
    IntGruUpdate,
    IntLegendre,
    IntLif,
    IntLinear,
    IntMean,
    IntOp,
)
from edgehar.graph.ops import TENSOR_X


def int_emitter(b: Builder, graph: IntGraph, *, exact: bool) -> Emitter:
    """What emits this graph into b; `exact`: rounding as the graph does where that takes float32."""
    if exact and rounds_gates(graph):
        return ExactEmitter(b, graph)
    return IntEmitter(b, graph, float_sums=exact)


class IntEmitter:
    """`form.Emitter` for integers; `float_sums` as in `FixedPoint`."""

    def __init__(self, b: Builder, graph: IntGraph, *, float_sums: bool) -> None:
        self.tensors: dict[str, str] = {}
        self._fixed = FixedPoint(b, self.tensors, graph, float_sums=float_sums)
        self._drives = {op.drive for op in graph.step if isinstance(op, IntLif)}

    def state_type(self, state: State) -> tuple[np.dtype[Any], TensorQuant | None]:
        return self._fixed.stored(state.name)

    def before_loop(self, x: str) -> str:
        """An int8 window is quantised once; tflite-micro's GATHER has no int16, so that a 16-bit one stays float32."""
        return self._quantised(x) if self._fixed.narrow(TENSOR_X) else x

    def bind_sample(self, x: str) -> None:
        self.tensors[TENSOR_X] = x if self._fixed.b.quant(x) is not None else self._quantised(x)

    def emit(self, op: IntOp) -> None:
        if op.out in self._drives and isinstance(op, IntLinear):
            emit_drive(self._fixed, op)
        else:
            emit_of(EMITTERS, op, "integer TFLite")(self._fixed, op)

    def next_state(self, state: State) -> str:
        dtype, quant = self.state_type(state)
        x = self.tensors[state.next]
        return x if dtype == INT32 else self._fixed.cast(x, dtype, quant)

    def logits(self, name: str) -> str:
        return self._fixed.to_float(name)

    def _quantised(self, x: str) -> str:
        f = self._fixed
        quant = f.graph.quants[TENSOR_X]
        return f.b.op("QUANTIZE", [x], dtype=np.dtype(quant.dtype), quant=f.quant_of(TENSOR_X))


EMITTERS: Mapping[type[IntOp], Callable[[FixedPoint, Any], None]] = {
    IntLinear: emit_linear,
    IntExpand: emit_expand,
    IntLegendre: emit_legendre,
    IntGatedUpdate: emit_gated,
    IntGruUpdate: emit_gru,
    IntLif: emit_lif,
    IntAccumulate: emit_accumulate,
    IntConv: emit_conv,
    IntMean: emit_mean,
}
