"""Sums of products of the integer graph."""

from __future__ import annotations

import numpy as np

from edgehar.export.tflite.builder import INT8
from edgehar.export.tflite.fixedpoint import LARGEST16, FixedPoint, Real
from edgehar.graph.intops import IntLinear, IntTerm

GATE_REACH = 32.0
"""Sums for gates saturate here, at four times what a gate tells apart (8)."""


def emit_linear(f: FixedPoint, op: IntLinear) -> None:
    """One product per term, each in int16 with a scale that holds its worst case, then their sum."""
    bias = None if op.bias is None else op.bias.value.astype(np.float64) * f.scale(op.out)
    scales = [weight_scales(f, op, term) for term in op.terms]
    x = op.terms[0].x
    if len(op.terms) == 1 and f.narrow(op.out) and f.b.dtype(f.tensors[x]) == INT8:
        only = op.terms[0].w
        value = only.value.astype(np.int8)
        f.tensors[op.out] = f.product(f.tensors[x], only.name, value, scales[0], bias, f.scale(op.out), narrow=True)
        return
    total, reach = "", 0.0
    for i, (term, rows) in enumerate(zip(op.terms, scales, strict=True)):
        w = term.w.value.astype(np.int8)
        real = w.astype(np.float64) * rows[:, None]
        offset = bias if i == 0 else None
        largest = f.largest(term.x)
        if term.x in f.origin:
            shift = f.origin[term.x] * real.sum(axis=1)
            offset = shift if offset is None else offset + shift
            largest = f.scale_here(f.tensors[term.x]) * (LARGEST16 + 1)
        reaches = np.abs(real).sum(axis=1) * largest + (0 if offset is None else np.abs(offset))
        worst = float(reaches.max())
        y = f.product(f.wide(term.x), term.w.name, w, rows, offset, scale_for(f, op.out, worst))
        reach += worst
        total = y if i == 0 else f.add(total, y, scale_for(f, op.out, reach))
    f.tensors[op.out] = f.settle(total, op.out)


def weight_scales(f: FixedPoint, op: IntLinear, term: IntTerm) -> Real:
    """Real value of a weight's unit, [1] or [rows]: out = w x multiplier / 2^shift in units of out's scale."""
    multiplier = term.multiplier.value.astype(np.float64)
    return np.asarray(multiplier / 2.0**op.shift * f.scale(op.out) / f.scale(term.x))


def scale_for(f: FixedPoint, name: str, worst: float) -> float:
    """The int16 scale for a part of the graph's tensor `name` that can reach `worst`.

    An int8 or int16 tensor saturates, and so may its parts; logits are as fine as their worst case allows. A gate's
    argument keeps its own unit where that suffices, and saturates at GATE_REACH.
    """
    if f.graph.quants[name].dtype != "int32":
        return f.fine(name)
    room = worst / LARGEST16
    return room if name == f.graph.output else max(f.scale(name), min(room, GATE_REACH / LARGEST16))
