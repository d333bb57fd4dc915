"""The integer graph of a gated recurrent model in float32 that holds its integers, from the sums to the states.

Float32 is exact for integers below 2^24, which sums of int8 products are, and Q15 gates times an int8 state. Products
of two Q15 numbers, and of sums and their multipliers, are not: now and then one is off by a unit of 2^-15 or 2^-12,
which hardly ever moves an int8 state. TFLite's own int16 gates do: their tables are others, and every product is
rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgehar.export.operations import emit_of
from edgehar.export.tflite.builder import FLOAT32, INT32, Builder
from edgehar.export.tflite.floats import split_gates
from edgehar.export.tflite.model import TensorQuant
from edgehar.export.tflite.schema import TENSOR_TYPES
from edgehar.graph.graph import IntGraph, State
from edgehar.graph.intops import TABLE_STEPS, IntGatedUpdate, IntGruUpdate, IntLinear, IntOp
from edgehar.graph.ops import TENSOR_X, Constant

ONE = 32768.0
"""1 in Q15."""


def rounds_gates(graph: IntGraph) -> bool:
    """Whether this is a graph for `ExactEmitter`: gates around an int8 state; an int16 one times Q15 is too large."""
    return graph.scheme == "int8" and any(isinstance(op, IntGatedUpdate | IntGruUpdate) for op in graph.step)


class ExactEmitter:
    """`form.Emitter`: `tensors` holds what has a scale, x, states and logits; the rest are integers in float32."""

    def __init__(self, b: Builder, graph: IntGraph) -> None:
        self.b, self.graph = b, graph
        self.tensors: dict[str, str] = {}
        self._integers: dict[str, str] = {}
        self._loaded: dict[str, str] = {}

    def state_type(self, state: State) -> tuple[np.dtype[Any], TensorQuant | None]:
        return np.dtype(np.int8), self._quant(state.name)

    def before_loop(self, x: str) -> str:
        """The whole window, quantised once."""
        return self.b.op("QUANTIZE", [x], dtype=np.dtype(np.int8), quant=self._quant(TENSOR_X))

    def bind_sample(self, x: str) -> None:
        self.tensors[TENSOR_X] = x if self.b.quant(x) is not None else self.before_loop(x)

    def emit(self, op: IntOp) -> None:
        emit_of(EMITTERS, op, "exact integer TFLite")(self, op)

    def next_state(self, state: State) -> str:
        return self.tensors[state.next]

    def logits(self, name: str) -> str:
        return self.tensors[name]

    # --- operations -----------------------------------------------------------------------------------------------

    def linear(self, op: IntLinear) -> None:
        total = ""
        for term in op.terms:
            packed = self.b.const(term.w.name, np.asarray(term.w.value, np.int8), TensorQuant((1.0,)))
            w = self.b.op("DEQUANTIZE", [packed], dtype=FLOAT32)
            y = self.b.op("FULLY_CONNECTED", [self._in(term.x), w, None], (1, len(term.w.value)))
            if op.shift:
                y = self._times(y, term.multiplier.name, term.multiplier.value.astype(np.float64) / 2.0**op.shift)
            total = y if not total else self.b.op("ADD", [total, y])
        if op.shift:
            total = self._floor(self._plus(total, "half", 0.5))
        if op.bias is not None:
            total = self._plus(total, op.bias.name, op.bias.value)
        quant = self.graph.quants[op.out]
        if op.out == self.graph.output:
            scale = self.b.floats(f"{op.out}_scale", [[quant.scale]])
            self.tensors[op.out] = self.b.op("MUL", [total, scale])
        else:
            limits = np.iinfo(np.dtype(quant.dtype))
            narrow = quant.dtype != "int32"
            self._integers[op.out] = self._clipped(total, limits.min, limits.max) if narrow else total

    def gated(self, op: IntGatedUpdate) -> None:
        """FastGRNN: out = z h + a g with a = zeta (1 - z) + nu."""
        z = self._sigmoid(self._biased(op.pre, op.b_z), op.table)
        g = self._tanh(self._biased(op.pre, op.b_h), op.table)
        shrunk = self._times(self._minus(z), "zeta", op.zeta.value.astype(np.float64) / ONE)
        a = self._plus(self._floor(shrunk), "nu", op.nu.value)
        self._settle(op.out, z, op.h, self._product(a, g), op.unit)

    def gru(self, op: IntGruUpdate) -> None:
        """GRU: out = z h + (1 - z) n."""
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (split_gates(self.b, self._in(name)) for name in (op.from_x, op.from_h))
        r, z = (self._sigmoid(self._sat16(self.b.op("ADD", pair)), op.table) for pair in ([x_r, h_r], [x_z, h_z]))
        reset = self._floor(self._times(self.b.op("MUL", [r, self._sat16(h_n)]), "q15", 1 / ONE))
        n = self._tanh(self._sat16(self.b.op("ADD", [x_n, reset])), op.table)
        self._settle(op.out, z, op.h, self._product(self._minus(z), n), op.unit)

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def _settle(self, out: str, z: str, h: str, other: str, unit: int) -> None:
        """The next state, sat(round(z h + other unit, 15)), as int8."""
        kept = self.b.op("MUL", [z, self._in(h)])
        both = self.b.op("ADD", [kept, self._times(other, "unit", float(unit))])
        whole = self._floor(self._plus(self._times(both, "q15", 1 / ONE), "half", 0.5))
        real = self._times(whole, "state_scale", self.graph.quants[out].scale)
        self.tensors[out] = self.b.op("QUANTIZE", [real], dtype=np.dtype(np.int8), quant=self._quant(out))

    def _tanh(self, v: str, table: Constant) -> str:
        return self._looked_up(v, table, 128)

    def _sigmoid(self, v: str, table: Constant) -> str:
        """(1 + tanh(v / 2)) / 2."""
        return self._floor(self._times(self._plus(self._looked_up(v, table, 256), "one", ONE), "halved", 0.5))

    def _looked_up(self, v: str, table: Constant, step: int) -> str:
        """The table between its entries, `step` units of |v| apart, with the sign of v; beyond its end, its last."""
        b = self.b
        ends = np.append(table.value.astype(np.float32), np.repeat(np.float32(table.value[-1]), TABLE_STEPS + 1))
        size = b.op("ABS", [v])
        at = self._floor(self._times(size, f"per_{step}", 1 / step))
        within = b.op("SUB", [size, self._times(at, f"of_{step}", float(step))])
        index = b.op("CAST", [at], dtype=INT32, in_type=TENSOR_TYPES[FLOAT32], out_type=TENSOR_TYPES[INT32])
        low = b.op("GATHER", [b.floats(table.name, ends[:-1]), index], b.shape(v), axis=0)
        rise = b.op("GATHER", [b.floats(f"{table.name}.rises", np.diff(ends)), index], b.shape(v), axis=0)
        risen = self._plus(self._times(b.op("MUL", [rise, within]), f"per_{step}", 1 / step), "half", 0.5)
        sign = self._clipped(v, -1, 1)
        return b.op("MUL", [b.op("ADD", [low, self._floor(risen)]), sign])

    def _product(self, x: str, y: str) -> str:
        """round(x y, 15)."""
        return self._floor(self._plus(self._times(self.b.op("MUL", [x, y]), "q15", 1 / ONE), "half", 0.5))

    def _minus(self, z: str) -> str:
        return self.b.op("SUB", [self.b.floats("one", [[ONE]]), z], self.b.shape(z))

    def _biased(self, pre: str, bias: Constant) -> str:
        return self._sat16(self._plus(self._in(pre), bias.name, bias.value))

    def _sat16(self, v: str) -> str:
        return self._clipped(v, -ONE, ONE - 1)

    def _clipped(self, v: str, low: float, high: float) -> str:
        below = self.b.op("MINIMUM", [v, self.b.floats(f"at_most_{high:g}", [[high]])])
        return self.b.op("MAXIMUM", [below, self.b.floats(f"at_least_{low:g}", [[low]])])

    def _floor(self, v: str) -> str:
        return self.b.op("FLOOR", [v])

    def _plus(self, v: str, name: str, value: Any) -> str:
        return self.b.op("ADD", [v, self.b.floats(name, np.reshape(value, (1, -1)))])

    def _times(self, v: str, name: str, value: Any) -> str:
        return self.b.op("MUL", [v, self.b.floats(name, np.reshape(value, (1, -1)))])

    def _in(self, name: str) -> str:
        """The integers of the graph's tensor `name` in float32."""
        if name in self._integers:
            return self._integers[name]
        x = self.tensors[name]
        if x not in self._loaded:
            source, target = TENSOR_TYPES[self.b.dtype(x)], TENSOR_TYPES[FLOAT32]
            self._loaded[x] = self.b.op("CAST", [x], dtype=FLOAT32, in_type=source, out_type=target)
        return self._loaded[x]

    def _quant(self, name: str) -> TensorQuant:
        return TensorQuant((self.graph.quants[name].scale,))


EMITTERS: Mapping[type[IntOp], Callable[[ExactEmitter, Any], None]] = {
    IntLinear: ExactEmitter.linear,
    IntGatedUpdate: ExactEmitter.gated,
    IntGruUpdate: ExactEmitter.gru,
}
