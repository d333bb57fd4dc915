"""The float graph's operations as C: a call of a kernel for every product, a loop for what follows it."""

from __future__ import annotations

import numpy as np

from edgehar.export.c import columns
from edgehar.export.c.emitter import Emitter
from edgehar.export.c.products import Options
from edgehar.export.c.unit import Unit
from edgehar.graph.graph import Graph
from edgehar.graph.ops import (
    Accumulate,
    Conv,
    Expand,
    GatedUpdate,
    GruUpdate,
    Legendre,
    Lif,
    Linear,
    Mean,
    float_of,
)


class FloatEmitter(Emitter):
    """Every vector is float; spikes are 0 and 1, or events."""

    suffix = "_f32"
    vector_type = "float"
    sum_type = "float"
    graph: Graph

    def __init__(self, unit: Unit, graph: Graph, options: Options) -> None:
        super().__init__(unit, graph, options, [op.out for op in graph.step if isinstance(op, Lif)])
        unit.includes |= {"eh_dense_f32.h", "eh_ieee.h"}

    def ctype(self, _: str) -> str:
        return "float"

    def linear(self, op: Linear) -> None:
        out = self.place(op.out)
        addends = [f"{acc}[r]" for acc in self.products(op)]
        if op.bias is not None:
            addends.append(f"{self.array(op.bias)}[r]")
        self.unit.loop("r", out.size, [f"{out.expr}[r] = {' + '.join(addends)};"])
        self.unit.trace(op.out, out)

    def expand(self, op: Expand) -> None:
        out, x = self.place(op.out), self.vectors[op.x]
        channels, pop = op.w.value.shape
        body = [
            f"for (int n = i * {pop}; n < (i + 1) * {pop}; n++) {{",
            f"    {out.expr}[n] = {x.expr}[i] * {self.array(op.w)}[n] + {self.array(op.b)}[n];",
            "}",
        ]
        self.unit.loop("i", channels, body)
        self.unit.trace(op.out, out)

    def legendre(self, op: Legendre) -> None:
        out, x, u = self.place(op.out), self.vectors[op.x], self.vectors[op.u]
        order, memory = len(op.b.value), self.sizes[op.u]
        self.unit.includes.add("eh_spikes_f32.h")
        b = self.array(op.b)
        if x.is_events:
            a = self.unit.constant(op.a.name, np.ascontiguousarray(float_of(op.a).T), "column by column for events")
            spikes = f"{x.expr}, {x.count}, {u.expr}, {u.count}"
            self.unit.line(f"eh_legendre_events_f32({a}, {b}, {spikes}, {out.expr}, {memory}, {order});")
        else:
            a = self.array(op.a)
            self.unit.line(f"eh_legendre_f32({a}, {b}, {x.expr}, {u.expr}, {out.expr}, {memory}, {order});")
        if op.gain is not None:
            self.unit.loop("n", out.size, [f"{out.expr}[n] *= {self.array(op.gain)}[n];"])
        self.unit.trace(op.out, out)

    def gated(self, op: GatedUpdate) -> None:
        self.unit.includes.add("eh_math.h")
        out, pre, h = self.place(op.out), self.vectors[op.pre], self.vectors[op.h]
        self.unit.loop(
            "i",
            out.size,
            [
                f"const float z = eh_sigmoid({pre.expr}[i] + {self.scalar(op.b_z, 'i')});",
                f"const float g = eh_tanh({pre.expr}[i] + {self.scalar(op.b_h, 'i')});",
                f"const float a = {self.scalar(op.zeta, '0')} * (1.0f - z) + {self.scalar(op.nu, '0')};",
                f"{out.expr}[i] = a * g + z * {h.expr}[i];",
            ],
        )
        self.unit.trace(op.out, out)

    def gru(self, op: GruUpdate) -> None:
        self.unit.includes.add("eh_math.h")
        out, h, n = self.place(op.out), self.vectors[op.h], self.sizes[op.out]
        x, y = self.vectors[op.from_x].expr, self.vectors[op.from_h].expr
        self.unit.loop(
            "i",
            n,
            [
                f"const float r = eh_sigmoid({x}[i] + {y}[i]);",
                f"const float z = eh_sigmoid({x}[{n} + i] + {y}[{n} + i]);",
                f"const float g = eh_tanh({x}[{2 * n} + i] + r * {y}[{2 * n} + i]);",
                f"{out.expr}[i] = (1.0f - z) * g + z * {h.expr}[i];",
            ],
        )
        self.unit.trace(op.out, out)

    def lif(self, op: Lif) -> None:
        out, u, drive = self.place(op.out), self.vectors[op.potential], f"{self.vectors[op.drive].expr}[i]"
        body = []
        if op.alpha is not None:
            current = self.vectors[op.current].expr
            body.append(f"{current}[i] = {self.scalar(op.alpha, 'i')} * {current}[i] + {drive};")
            drive = f"{current}[i]"
        threshold = self.scalar(op.threshold, "i")
        reset = f"({u.expr}[i] > {threshold} ? {threshold} : 0.0f)"
        body += [
            f"const float u = ({self.scalar(op.beta, 'i')} * {u.expr}[i] + {drive}) - {reset};",
            f"{u.expr}[i] = u;",
        ]
        if out.is_events:
            self.unit.line(f"{out.count} = 0;")
        body += self.spike(out, threshold, "1.0f")
        self.unit.loop("i", out.size, body)
        if op.alpha is not None:
            self.unit.trace(op.current_out, self.vectors[op.current])
        self.unit.trace(op.potential_out, u)
        self.unit.trace(op.out, out)

    def conv(self, op: Conv) -> None:
        value = f"m->acc0[o] + {self.array(op.b)}[o]"
        if op.skip:
            value += " + skip[o]"
        if op.relu:
            self.unit.includes.add("eh_dense_f32.h")
            value = f"eh_relu({value})"
        columns.convolve(self, op, value)

    def mean(self, op: Mean) -> None:
        out, x = self.place(op.out), columns.ring(self, op.x)
        sums = [
            "float sum = 0.0f;",
            f"for (int t = 0; t < {op.columns}; t++) {{",
            f"    sum += {x}[t * {out.size} + i];",
            "}",
        ]
        self.unit.loop("i", out.size, [*sums, f"{out.expr}[i] = sum / {op.columns}.0f;"])
        self.unit.trace(op.out, out)


FloatEmitter.operations = {
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
