"""Convolutions over a stream of columns, float or integer: rings between layers, each column computed once."""

from __future__ import annotations

import numpy as np

from edgehar.export.c import matrices
from edgehar.export.c.emitter import Emitter
from edgehar.export.c.products import product
from edgehar.export.c.unit import Vector
from edgehar.graph.graph import Graph, IntGraph
from edgehar.graph.intops import IntConv, IntMean
from edgehar.graph.ops import TENSOR_X, Conv, Mean

AnyConv = Conv | IntConv


def convolutions(graph: Graph | IntGraph) -> list[AnyConv]:
    """A convnet's step, which holds nothing else."""
    return [op for op in graph.step if isinstance(op, Conv | IntConv)]


def kept_columns(graph: Graph | IntGraph) -> dict[str, int]:
    """How many of its newest columns each layer's input has to keep; for the last, those of a whole window."""
    kept: dict[str, int] = {}
    for op in convolutions(graph):
        kept[op.x] = max(kept.get(op.x, 0), op.kernel)
        if op.skip:
            kept[op.skip] = max(kept[op.skip], skip_ago(graph, op) + 1)
    for mean in graph.head:
        if isinstance(mean, Mean | IntMean):
            kept[mean.x] = mean.columns
    return kept


def skip_ago(graph: Graph | IntGraph, op: AnyConv) -> int:
    """How far behind its tensor's newest column the skip of `op` lies when a column of `op` is made.

    A layer's column t needs its input's columns up to t + kernel - 1; a residual has no strides inside.
    """
    behind = {TENSOR_X: 0}
    for conv in convolutions(graph):
        behind[conv.out] = (behind[conv.x] + conv.kernel - 1) if conv.stride == 1 else 0
    return behind[op.out] - behind[op.skip] - op.skip_lag


def place_rings(e: Emitter) -> None:
    """Declare every layer's ring; the newest column of the input is appended to its own."""
    e.unit.includes.add("eh_columns.h")
    for name, kept in kept_columns(e.graph).items():
        e.unit.state_field(name, e.ctype(name), kept * e.graph.sizes[name])
        e.unit.state_field(f"{name}_next", "uint16_t", 0)
    for op in convolutions(e.graph):
        wait = e.unit.state_field(f"{op.out}_wait", "uint16_t", 0)
        e.unit.started.append(f"{wait} = {op.kernel};")


def append_input(e: Emitter, x: Vector) -> None:
    """The sample becomes the newest column."""
    cast = "" if e.ctype(TENSOR_X) == x.ctype else f"({e.ctype(TENSOR_X)})"
    e.unit.loop("c", x.size, [f"{ring(e, TENSOR_X)}[{_next(e, TENSOR_X)} * {x.size} + c] = {cast}{x.expr}[c];"])
    _advance(e, TENSOR_X)


def convolve(e: Emitter, op: AnyConv, value: str) -> None:
    """One output column where it is due; `value` computes output o from m->acc0 and `skip`."""
    unit, sizes, kept = e.unit, e.graph.sizes, kept_columns(e.graph)
    channels, rows = sizes[op.x], sizes[op.out]
    unit.line(f"if (!eh_due(&{_field(e, f'{op.out}_wait')}, {op.stride})) {{", "    return;", "}")
    taps = unit.room("taps", e.vector_type, channels * op.kernel)
    acc = unit.room("acc0", e.sum_type, -(-rows // 4) * 4)
    kind = {"int8_t": "s8", "int16_t": "s16", "float": "f32"}[e.ctype(op.x)]
    unit.line(f"eh_gather_{kind}({ring(e, op.x)}, {_next(e, op.x)}, {kept[op.x]}, {channels}, {op.kernel}, {taps});")
    _multiply(e, op, channels, rows, taps, acc)
    ctype = e.ctype(op.out)
    unit.line("{")
    unit.line(f"    {ctype} *const y = {ring(e, op.out)} + {_next(e, op.out)} * {rows};")
    if op.skip:
        slot = f"eh_slot({_next(e, op.skip)}, {skip_ago(e.graph, op)}, {kept[op.skip]})"
        unit.line(f"    const {e.ctype(op.skip)} *const skip = {ring(e, op.skip)} + {slot} * {rows};")
    unit.line(f"    for (int o = 0; o < {rows}; o++) {{", f"        y[o] = {value};", "    }")
    unit.trace(op.out, Vector("y", ctype, rows))
    unit.line("}")
    _advance(e, op.out)


def _multiply(e: Emitter, op: AnyConv, channels: int, rows: int, taps: str, acc: str) -> None:
    """Sums w taps into acc, group by group."""
    unit, w = e.unit, op.w.value
    if op.groups == 1:
        product(unit, e.options, op.w.name, w.transpose(0, 2, 1).reshape(rows, -1), taps, acc, e.suffix)
        return
    if op.groups == channels == rows:
        c = unit.constant(op.w.name, np.ascontiguousarray(w[:, 0].T), f"{op.kernel} x {rows}, depthwise")
        unit.line(f"eh_depthwise{e.suffix}({c}, {taps}, {acc}, {rows}, {op.kernel});")
        return
    width, made = channels // op.groups, rows // op.groups
    parts = [
        matrices.dense(w[g * made : (g + 1) * made].transpose(0, 2, 1).reshape(made, -1)).arrays[""]
        for g in range(op.groups)
    ]
    stride = -(-len(parts[0]) // 4) * 4  # every group begins at a word
    stored = np.zeros((op.groups, stride), parts[0].dtype)
    for part, row in zip(parts, stored, strict=True):
        row[: len(part)] = part
    c = unit.constant(op.w.name, stored, f"{op.groups} groups of {made} x {width * op.kernel}, dense")
    group = unit.room("group", e.vector_type, width * op.kernel)
    kind = "f32" if e.suffix else "s16"
    body = [
        f"eh_group_{kind}({taps}, {channels}, {op.kernel}, g * {width}, {width}, {group});",
        f"eh_dense{e.suffix}({c} + g * {stride}, {group}, {acc} + g * {made}, {made}, {width * op.kernel});",
    ]
    unit.loop("g", op.groups, body)


def ring(e: Emitter, name: str) -> str:
    """The array that keeps a tensor's columns."""
    return _field(e, name)


def _next(e: Emitter, name: str) -> str:
    return _field(e, f"{name}_next")


def _advance(e: Emitter, name: str) -> None:
    n, kept = _next(e, name), kept_columns(e.graph)[name]
    e.unit.line(f"{n} = (uint16_t)({n} + 1 == {kept} ? 0 : {n} + 1);")


def _field(e: Emitter, name: str) -> str:
    return f"s->{e.unit.field_name(name)}"
