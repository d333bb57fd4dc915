"""From a float graph and the ranges of its tensors to the integer graph. Deterministic: the same bits on any machine.

Weights: int8, symmetric, scale = max |w| / 127 of the tensor or of each output row. Tensors: int8 or int16 by scheme;
states keep one scale before and after a sample, so that their integers feed back as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.graph.equalise import equalise
from edgehar.graph.fixedpoint import Scales, bias_floor, decay, fixed_point, int32, positive, q15, tanh_table
from edgehar.graph.graph import Graph, IntGraph, Quant
from edgehar.graph.intexecute import LIMITS
from edgehar.graph.intops import (
    PRE_BITS,
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
    IntTerm,
)
from edgehar.graph.ops import (
    TENSOR_LOGITS,
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

SCHEMES: Mapping[str, str] = {"int8": "int8", "int8x16": "int16"}
"""Scheme -> dtype of activations and states; weights are int8 in both."""

DRIVE_BITS = 8


def quantise(graph: Graph, quant: Mapping[str, Any]) -> IntGraph:
    """The integer graph for the manifest's `quant` object: scheme, ranges of every tensor, per_channel, gains.

    The ranges are those of the graph after `equalise`.

    Raises InputError where a range is missing, or where a sum could leave 32 bits.
    """
    return _Quantiser(equalise(graph, quant.get("gains", {})), quant).run()


class _Quantiser:
    def __init__(self, graph: Graph, quant: Mapping[str, Any]) -> None:
        self.graph = graph
        self.dtype = SCHEMES[quant["scheme"]]
        self.scheme: str = quant["scheme"]
        self.per_channel: str = quant["per_channel"]
        self.ranges: Mapping[str, Any] = quant["ranges"]
        self.quants: dict[str, Quant] = {}
        self.spikes: set[str] = set()
        self.table = tanh_table()

    def run(self) -> IntGraph:
        graph = self.graph
        self.quants[TENSOR_X] = self.symmetric(self.dtype, TENSOR_X)
        for op in (*graph.step, *graph.head):
            PLAN[type(op)](self, op)
        step = tuple(EMIT[type(op)](self, op) for op in graph.step)
        head = tuple(EMIT[type(op)](self, op) for op in graph.head)
        common = {name: getattr(graph, name) for name in _COMMON}
        return IntGraph(**common, step=step, head=head, quants=self.quants, scheme=self.scheme)

    # --- what integers mean -------------------------------------------------------------------------------------

    def range(self, *names: str) -> tuple[float, float]:
        missing = [name for name in names if name not in self.ranges]
        if missing:
            raise InputError(
                f"manifest.json: quant.ranges has no entry for the tensor '{missing[0]}'",
                reason=Reason.VALUE,
                hint="quantise the model again: edgehar compress BUNDLE --dataset DIR --quant int8 --out OUT",
            )
        lows, highs = zip(*(self.ranges[name] for name in names), strict=True)
        return min(lows), max(highs)

    def symmetric(self, dtype: str, *names: str) -> Quant:
        low, high = self.range(*names)
        return Quant(dtype, positive(max(-low, high)) / LIMITS[dtype][1])

    def affine(self, name: str) -> Quant:
        if self.dtype != "int8":
            return self.symmetric(self.dtype, name)
        low, high = self.range(name)
        low, high = min(low, 0.0), max(high, 0.0)
        scale = positive(high - low) / 255
        return Quant("int8", scale, int(np.clip(round(-128 - low / scale), -128, 127)))

    def plan_linear(self, op: Linear) -> None:
        if op.out == TENSOR_LOGITS:
            x = self.quants[op.terms[0].x].scale
            scales = self.weight_scales(op.terms[0].w, "none", bias_floor(op.bias, x))
            self.quants[op.out] = Quant("int32", float(scales[0]) * x)
        elif op.out in ("pre", "from_x", "from_h"):
            self.quants[op.out] = Quant("int32", 2.0**-PRE_BITS)
            if self.graph.states and "h" not in self.quants:
                self.plan_hidden()
        elif not op.out.startswith("drive_"):
            if op.terms[0].x == "h" and "h" not in self.quants:
                self.plan_hidden()
            self.quants[op.out] = self.symmetric(self.dtype, op.out)

    def plan_hidden(self) -> None:
        """State h is q / unit, with a unit for which z h + a g unit fits int32 (`IntGatedUpdate`)."""
        low, high = self.range("h", "h_next")
        limit = LIMITS[self.dtype][1]
        unit = max(1, min(limit, math.floor(limit / positive(max(-low, high)))))
        largest = 32768
        for op in self.graph.step:
            if isinstance(op, GatedUpdate):
                largest = q15(op.zeta) + q15(op.nu)
        room = (1 << 31) - 1 - (1 << 30) - (1 << 14)
        unit = max(1, min(unit, room // max(1, (largest * 32767 + (1 << 14)) >> 15)))
        for name in ("h", "h_next"):
            self.quants[name] = Quant(self.dtype, 1.0 / unit)

    def plan_lif(self, op: Lif) -> None:
        names = [op.potential, op.potential_out, *([op.current, op.current_out] if op.alpha is not None else [])]
        low, high = self.range(*names)
        reach = max(-low, high)
        threshold = float(float_of(op.threshold).max())
        # A threshold beyond that means that the population never fires. A silent one gets a unit that drives fit, too.
        if threshold <= 4 * reach or reach == 0:
            reach = max(reach, 1.5 * threshold)
        quant = Quant(self.dtype, positive(reach) / LIMITS[self.dtype][1])
        self.quants |= dict.fromkeys(names, quant)
        spikes = [op.out, op.out.removesuffix("_next")] if op.out.endswith("_next") else [op.out]
        self.quants |= dict.fromkeys(spikes, Quant("int8", 1.0))
        self.spikes |= set(spikes)
        self.quants[op.drive] = Quant("int32", quant.scale / (1 << DRIVE_BITS))

    def plan_conv(self, op: Conv) -> None:
        self.quants[op.out] = self.affine(op.out)

    def plan_mean(self, op: Mean) -> None:
        self.quants[op.out] = self.symmetric("int16", op.out)

    def plan_accumulate(self, op: Accumulate) -> None:
        quant = Quant("int32", self.quants[op.x].scale)
        self.quants |= {op.total: quant, op.out: quant}

    def plan_gates(self, _: GatedUpdate | GruUpdate) -> None:
        """Nothing: `plan_linear` has planned h, which its operands need."""

    def plan_nothing(self, _: Expand | Legendre) -> None:
        """Nothing: their outputs are drives, in units of the population that they feed."""

    # --- integers -----------------------------------------------------------------------------------------------

    def weight_scales(self, w: Constant, per_channel: str, floor: Scales | float = 0.0) -> Scales:
        """One scale, or one for each output row, none below `floor`, whatever pruning left of the weights."""
        value = np.abs(float_of(w).astype(np.float64))
        scales = np.maximum(value.reshape(len(value), -1).max(axis=1), 1e-12) / 127
        scales = np.maximum(scales, floor)
        return np.asarray(scales if per_channel != "none" else scales.max(keepdims=True))

    def weights(self, w: Constant, scales: Scales) -> Constant:
        value = float_of(w).astype(np.float64)
        shape = (-1,) + (1,) * (value.ndim - 1)
        return Constant(w.name, np.rint(value / scales.reshape(shape)).clip(-127, 127).astype(np.int8))

    def emit_linear(self, op: Linear) -> IntLinear:
        out = self.quants[op.out]
        logits = op.out == TENSOR_LOGITS
        per_row = "none" if logits or self.per_channel != "all" else "rows"
        floor = bias_floor(op.bias, self.quants[op.terms[0].x].scale) if logits else 0.0
        scales = [self.weight_scales(term.w, per_row, floor) for term in op.terms]
        ratios = [s * self.quants[t.x].scale / out.scale for s, t in zip(scales, op.terms, strict=True)]
        ints = [self.weights(term.w, s) for term, s in zip(op.terms, scales, strict=True)]
        largest = [self.check_sum(term, w) for term, w in zip(op.terms, ints, strict=True)]
        bias = self.bias(op.bias, out.scale)
        if logits:
            summed = sum(largest, np.zeros(1, np.int64)) + (0 if bias is None else np.abs(bias.value.astype(np.int64)))
            self.check_worst(op.out, int(summed.max()))
            multipliers, shift = [np.ones(1, np.int32)], 0
        else:
            reach = sum((rows * ratio for rows, ratio in zip(largest, ratios, strict=True)), np.zeros(1))
            self.check_reach(op.out, float(reach.max()))
            multipliers, shift = fixed_point(ratios)
        terms = tuple(
            IntTerm(t.x, w, Constant(f"{w.name}.multiplier", m))
            for t, w, m in zip(op.terms, ints, multipliers, strict=True)
        )
        return IntLinear(op.out, terms, bias, shift)

    def bias(self, bias: Constant | None, scale: float) -> Constant | None:
        return None if bias is None else Constant(bias.name, int32(float_of(bias).astype(np.float64) / scale))

    def check_sum(self, term: Term, w: Constant) -> NDArray[np.int64]:
        """Refuse a product whose worst case leaves int32; returns the worst case of each row."""
        largest = 1 if term.x in self.spikes else -LIMITS[self.quants[term.x].dtype][0]
        rows = np.abs(w.value.astype(np.int64)).sum(axis=-1) * largest
        self.check_worst(w.name, int(rows.max()))
        return np.asarray(rows)

    def check_reach(self, name: str, reach: float) -> None:
        """Refuse a tensor whose worst case, unclamped, takes more than 30 bits: a bias and a state are still added."""
        if reach >= 1 << 30:
            raise InputError(
                f"the tensor '{name}' can reach {reach:.3g} units, beyond 30 bits, with {self.scheme} activations",
                reason=Reason.VALUE,
                hint="use --quant int8, or calibrate again on more windows: its calibrated range is far too small",
            )

    def check_worst(self, name: str, worst: int) -> None:
        if worst >= 1 << 31:
            raise InputError(
                f"a sum of products of '{name}' can reach {worst}, beyond 32 bits, with {self.scheme} activations",
                reason=Reason.VALUE,
                hint="quantise to int8 instead, or train a smaller layer: edgehar train --set options.hidden=N",
            )

    def emit_expand(self, op: Expand) -> IntExpand:
        scale = self.weight_scales(op.w, "none") * (127 / 32767)
        x, drive = self.quants[op.x], self.quants[op.out].scale
        largest = float(np.abs(float_of(op.w)).max()) * x.scale * -LIMITS[x.dtype][0]
        self.check_reach(op.out, largest / drive)
        (multiplier,), shift = fixed_point([scale * x.scale / drive])
        b = Constant(op.b.name, int32(float_of(op.b).astype(np.float64) / drive))
        w = Constant(op.w.name, np.rint(float_of(op.w).astype(np.float64) / scale).astype(np.int16))
        return IntExpand(op.out, op.x, w, b, Constant(f"{op.w.name}.multiplier", multiplier), shift)

    def emit_legendre(self, op: Legendre) -> IntLegendre:
        a, b = float_of(op.a).astype(np.float64), float_of(op.b).astype(np.float64)
        scale = positive(max(float(np.abs(a).max()), float(np.abs(b).max()))) / 32767
        gain = np.ones(1) if op.gain is None else float_of(op.gain).astype(np.float64)
        ratio = gain * scale / self.quants[op.out].scale
        largest = np.abs(a).sum(axis=1) + np.abs(b)
        self.check_reach(op.out, float(largest.max() / scale * ratio.max()))
        (multiplier,), shift = fixed_point([ratio])
        return IntLegendre(
            out=op.out,
            x=op.x,
            u=op.u,
            a=Constant(op.a.name, np.rint(a / scale).astype(np.int16)),
            b=Constant(op.b.name, np.rint(b / scale).astype(np.int16)),
            multiplier=Constant(f"{op.a.name}.multiplier", multiplier),
            shift=shift,
        )

    def emit_gated(self, op: GatedUpdate) -> IntGatedUpdate:
        low, high = LIMITS["int16"]
        biases = [np.rint(float_of(c).astype(np.float64) * (1 << PRE_BITS)).clip(low, high) for c in (op.b_z, op.b_h)]
        return IntGatedUpdate(
            out=op.out,
            pre=op.pre,
            h=op.h,
            b_z=Constant(op.b_z.name, biases[0].astype(np.int16)),
            b_h=Constant(op.b_h.name, biases[1].astype(np.int16)),
            zeta=Constant(op.zeta.name, np.array([q15(op.zeta)], np.int32)),
            nu=Constant(op.nu.name, np.array([q15(op.nu)], np.int32)),
            unit=self.unit(op.h),
            table=self.table,
        )

    def emit_gru(self, op: GruUpdate) -> IntGruUpdate:
        return IntGruUpdate(op.out, op.from_x, op.from_h, op.h, self.unit(op.h), self.table)

    def unit(self, name: str) -> int:
        return round(1.0 / self.quants[name].scale)

    def emit_lif(self, op: Lif) -> IntLif:
        quant = self.quants[op.potential]
        limit = LIMITS[quant.dtype][1]
        threshold = np.rint(float_of(op.threshold).astype(np.float64) / quant.scale).clip(1, limit).astype(quant.dtype)
        return IntLif(
            out=op.out,
            potential_out=op.potential_out,
            drive=op.drive,
            potential=op.potential,
            beta=decay(op.beta),
            threshold=Constant(op.threshold.name, threshold),
            current=op.current,
            current_out=op.current_out,
            alpha=None if op.alpha is None else decay(op.alpha),
        )

    def emit_accumulate(self, op: Accumulate) -> IntAccumulate:
        return IntAccumulate(op.out, op.total, op.x)

    def emit_conv(self, op: Conv) -> IntConv:
        x, out = self.quants[op.x], self.quants[op.out]
        floor = bias_floor(op.b, x.scale)
        scales = self.weight_scales(op.w, "none" if self.per_channel == "none" else "rows", floor)
        w = self.weights(op.w, scales)
        ratios = [scales * x.scale / out.scale]
        if op.skip:
            ratios.append(np.array([self.quants[op.skip].scale / out.scale]))
        multipliers, shift = fixed_point(ratios)
        flat = w.value.astype(np.int64).reshape(len(w.value), -1)
        b = int32(float_of(op.b).astype(np.float64) / (scales * x.scale)).astype(np.int64)
        b -= x.zero_point * flat.sum(axis=1)
        worst = np.abs(flat).sum(axis=1) * -LIMITS[x.dtype][0] + np.abs(b)
        self.check_worst(w.name, int(worst.max()))
        skip_multiplier = int(multipliers[1][0]) if op.skip else 0
        zero_of_skip = self.quants[op.skip].zero_point if op.skip else 0
        low, high = LIMITS[out.dtype]
        return IntConv(
            out=op.out,
            x=op.x,
            w=w,
            b=Constant(op.b.name, b.astype(np.int32)),
            multiplier=Constant(f"{w.name}.multiplier", multipliers[0]),
            shift=shift,
            stride=op.stride,
            groups=op.groups,
            low=max(low, out.zero_point) if op.relu else low,
            high=high,
            offset=(out.zero_point << shift) - zero_of_skip * skip_multiplier,
            skip=op.skip,
            skip_lag=op.skip_lag,
            skip_multiplier=skip_multiplier,
        )

    def emit_mean(self, op: Mean) -> IntMean:
        x = self.quants[op.x]
        (multiplier,), shift = fixed_point([np.array([x.scale / op.columns / self.quants[op.out].scale])])
        return IntMean(op.out, op.x, op.columns, x.zero_point, Constant(f"{op.out}.multiplier", multiplier), shift)


_COMMON = ("family", "inputs", "classes", "window", "hop", "sizes", "states", "output", "preprocess", "channels")

PLAN: Mapping[type[Op], Callable[[_Quantiser, Any], None]] = {
    Linear: _Quantiser.plan_linear,
    Expand: _Quantiser.plan_nothing,
    Legendre: _Quantiser.plan_nothing,
    GatedUpdate: _Quantiser.plan_gates,
    GruUpdate: _Quantiser.plan_gates,
    Lif: _Quantiser.plan_lif,
    Accumulate: _Quantiser.plan_accumulate,
    Conv: _Quantiser.plan_conv,
    Mean: _Quantiser.plan_mean,
}

EMIT: Mapping[type[Op], Callable[[_Quantiser, Any], IntOp]] = {
    Linear: _Quantiser.emit_linear,
    Expand: _Quantiser.emit_expand,
    Legendre: _Quantiser.emit_legendre,
    GatedUpdate: _Quantiser.emit_gated,
    GruUpdate: _Quantiser.emit_gru,
    Lif: _Quantiser.emit_lif,
    Accumulate: _Quantiser.emit_accumulate,
    Conv: _Quantiser.emit_conv,
    Mean: _Quantiser.emit_mean,
}
