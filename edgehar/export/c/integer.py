"""The integer graph's operations as C: a call of a kernel for every product, a loop for what follows it."""

from __future__ import annotations

import numpy as np

from edgehar.export.c import columns
from edgehar.export.c.emitter import Emitter
from edgehar.export.c.literals import number
from edgehar.export.c.products import Options
from edgehar.export.c.unit import Unit, Vector
from edgehar.graph.graph import IntGraph
from edgehar.graph.intexecute import LIMITS
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
)


class IntEmitter(Emitter):
    """Vectors are int16 within a step, states and columns have the graph's type."""

    suffix = ""
    vector_type = "int16_t"
    sum_type = "int32_t"
    graph: IntGraph

    def __init__(self, unit: Unit, graph: IntGraph, options: Options) -> None:
        super().__init__(unit, graph, options, [op.out for op in graph.step if isinstance(op, IntLif)])
        unit.includes.add("eh_int.h")

    def ctype(self, name: str) -> str:
        return "int16_t" if name in self.spikes else f"{self.graph.quants[name].dtype}_t"

    def temporary_type(self, name: str) -> str:
        return "int32_t" if self.graph.quants[name].dtype == "int32" else "int16_t"

    def operand(self, x: Vector) -> str:
        if x.ctype == "int16_t":
            return x.expr
        wide = self.unit.room("wide", "int16_t", x.size)
        self.unit.includes.add("eh_dense.h")
        self.unit.line(f"eh_widen({x.expr}, {wide}, {x.size});")
        return wide

    def linear(self, op: IntLinear) -> None:
        out, addends = self.place(op.out), []
        for term, acc in zip(op.terms, self.products(op), strict=True):
            addends.append(f"(int64_t){acc}[r] * {self.scalar(term.multiplier, 'r')}" if op.shift else f"{acc}[r]")
        value = " + ".join(addends)
        if op.shift:
            value = f"eh_round64({value}, {op.shift})"
        if op.bias is not None:
            value = f"{value} + {self.array(op.bias)}[r]"
        dtype = self.graph.quants[op.out].dtype
        # The quantiser refuses a model in which an int32 could overflow.
        value = f"(int32_t)({value})" if dtype == "int32" else clamped(value, dtype)
        self.unit.loop("r", out.size, [f"{out.expr}[r] = {value};"])
        self.unit.trace(op.out, out)

    def expand(self, op: IntExpand) -> None:
        out, x = self.place(op.out), self.vectors[op.x]
        channels, pop = op.w.value.shape
        w, b = self.array(op.w), self.array(op.b)
        value = f"eh_round64((int64_t)({w}[n] * {x.expr}[i]) * {self.scalar(op.multiplier, '0')}, {op.shift})"
        body = [
            f"for (int n = i * {pop}; n < (i + 1) * {pop}; n++) {{",
            f"    {out.expr}[n] = (int32_t)({value} + {b}[n]);",
            "}",
        ]
        self.unit.loop("i", channels, body)
        self.unit.trace(op.out, out)

    def legendre(self, op: IntLegendre) -> None:
        out, x, u = self.place(op.out), self.vectors[op.x], self.vectors[op.u]
        order, memory = len(op.b.value), self.sizes[op.u]
        acc = self.unit.room("acc0", "int32_t", order * memory)
        self.unit.includes.add("eh_legendre.h")
        b = self.array(op.b)
        if x.is_events:
            a = self.unit.constant(op.a.name, np.ascontiguousarray(op.a.value.T), "column by column for events")
            self.unit.line(
                f"eh_legendre_events({a}, {b}, {x.expr}, {x.count}, {u.expr}, {u.count}, {acc}, {memory}, {order});"
            )
        else:
            a = self.array(op.a)
            self.unit.line(f"eh_legendre({a}, {b}, {x.expr}, {u.expr}, {acc}, {memory}, {order});")
        value = f"eh_round64((int64_t){acc}[n] * {self.scalar(op.multiplier, 'n')}, {op.shift})"
        self.unit.loop("n", order * memory, [f"{out.expr}[n] = (int32_t){value};"])
        self.unit.trace(op.out, out)

    def gated(self, op: IntGatedUpdate) -> None:
        self.unit.includes.add("eh_gates.h")
        out, pre, h = self.place(op.out), self.vectors[op.pre], self.vectors[op.h]
        b_z, b_h = self.scalar(op.b_z, "i"), self.scalar(op.b_h, "i")
        zeta, nu = self.scalar(op.zeta, "0"), self.scalar(op.nu, "0")
        table = self.array(op.table)
        value = f"eh_fastgrnn({pre.expr}[i], {b_z}, {b_h}, {zeta}, {nu}, {h.expr}[i], {op.unit}, {table})"
        self.unit.loop("i", out.size, [f"{out.expr}[i] = {saturate(out)}({value});"])
        self.unit.trace(op.out, out)

    def gru(self, op: IntGruUpdate) -> None:
        self.unit.includes.add("eh_gates.h")
        out, h = self.place(op.out), self.vectors[op.h]
        from_x, from_h = self.vectors[op.from_x].expr, self.vectors[op.from_h].expr
        table = self.array(op.table)
        value = f"eh_gru({from_x}, {from_h}, i, {out.size}, {h.expr}[i], {op.unit}, {table})"
        self.unit.loop("i", out.size, [f"{out.expr}[i] = {saturate(out)}({value});"])
        self.unit.trace(op.out, out)

    def lif(self, op: IntLif) -> None:
        self.unit.includes.add("eh_spikes.h")
        out, u, drive = self.place(op.out), self.vectors[op.potential], f"{self.vectors[op.drive].expr}[i]"
        body = []
        if op.alpha is not None:
            current = self.vectors[op.current]
            filtered = f"eh_filter({self.scalar(op.alpha, 'i')}, {current.expr}[i], {drive})"
            body += [
                f"const int32_t current = {saturate(current)}({filtered});",
                f"{current.expr}[i] = ({current.ctype})current;",
            ]
            drive = "current * 256"
        threshold = self.scalar(op.threshold, "i")
        leaked = f"eh_leak({self.scalar(op.beta, 'i')}, {u.expr}[i], {drive}, {threshold})"
        body += [f"const int32_t u = {saturate(u)}({leaked});", f"{u.expr}[i] = ({u.ctype})u;"]
        if out.is_events:
            self.unit.line(f"{out.count} = 0;")
        body += self.spike(out, threshold, "1")
        self.unit.loop("i", out.size, body)
        if op.alpha is not None:
            self.unit.trace(op.current_out, self.vectors[op.current])
        self.unit.trace(op.potential_out, u)
        self.unit.trace(op.out, out)

    def conv(self, op: IntConv) -> None:
        self.unit.includes |= {"eh_columns.h", "eh_dense.h"}
        b, multiplier = self.array(op.b), self.scalar(op.multiplier, "o")
        value = f"(int64_t)(m->acc0[o] + {b}[o]) * {multiplier}"
        if op.skip:
            skip = self.unit.indexed(f"{op.w.name}.skip", np.array([op.skip_multiplier], np.int32), "0")
            value += f" + (int64_t)skip[o] * {skip}"
        if op.offset:
            value += f" + INT64_C({op.offset})"
        ctype = self.ctype(op.out)
        clamp = f"({ctype})eh_clamp64(eh_round64({value}, {op.shift}), {number(op.low)}, {number(op.high)})"
        columns.convolve(self, op, clamp)

    def mean(self, op: IntMean) -> None:
        out, x = self.place(op.out), columns.ring(self, op.x)
        sums = [
            "int32_t sum = 0;",
            f"for (int t = 0; t < {op.columns}; t++) {{",
            f"    sum += {x}[t * {out.size} + i];",
            "}",
        ]
        value = (
            f"eh_round64((int64_t)(sum - {op.columns * op.zero_point}) * {self.scalar(op.multiplier, '0')}, {op.shift})"
        )
        self.unit.loop("i", out.size, [*sums, f"{out.expr}[i] = {clamped(value, 'int16')};"])
        self.unit.trace(op.out, out)


def saturate(v: Vector) -> str:
    return "eh_sat8" if v.ctype == "int8_t" else "eh_sat16"


def clamped(value: str, dtype: str) -> str:
    """An int64 expression clamped to int8 or int16; vectors within a step are int16 either way."""
    low, high = LIMITS[dtype]
    return f"(int16_t)eh_clamp64({value}, {low}, {high})"


IntEmitter.operations = {
    IntLinear: IntEmitter.linear,
    IntExpand: IntEmitter.expand,
    IntLegendre: IntEmitter.legendre,
    IntGatedUpdate: IntEmitter.gated,
    IntGruUpdate: IntEmitter.gru,
    IntLif: IntEmitter.lif,
    IntAccumulate: IntEmitter.accumulate,
    IntConv: IntEmitter.conv,
    IntMean: IntEmitter.mean,
}
