"""Convnets in integers: from the graph to the tables that `integer_conv` runs, and their engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edgehar.graph.graph import IntGraph
from edgehar.graph.intops import IntConv, IntLinear, IntMean
from edgehar.graph.ops import TENSOR_X
from edgehar.runtimes.kernels.columns import MOVED_BYTES
from edgehar.runtimes.kernels.compiler import Engine
from edgehar.runtimes.kernels.integer_borders import Borders
from edgehar.runtimes.kernels.integer_conv import (
    BUFFER,
    BURST,
    COLUMNS,
    ENTRIES,
    FC_B,
    FC_W,
    HOP,
    INPUTS,
    KEPT,
    LIMIT,
    MEAN,
    MEAN_MULTIPLIER,
    MEAN_SHIFT,
    MEANS,
    QUADS,
    ROOM,
    SKIP_MULTIPLIER,
    TOTAL_STRIDE,
    WINDOW,
    ZERO_POINT,
    advance,
)
from edgehar.runtimes.kernels.integer_types import AnyArray, Int8Array, Int32Array
from edgehar.runtimes.kernels.integer_vector import GROUP_BYTES, HALF, HAS_QUADS, pack_groups
from edgehar.runtimes.kernels.simd import aligned, vectors_of
from edgehar.runtimes.kernels.spread import is_spread, spread
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import IntArray


class Layers(NamedTuple):
    """Arguments of `integer_conv.advance`; `cells` and `widest` are the sizes of an engine's buffers."""

    plan: IntArray
    table: IntArray
    weights: Int8Array
    numbers: Int32Array
    cells: int
    widest: int


def pack_layers(graph: IntGraph, *, quads: bool = HAS_QUADS) -> Layers:
    """The tables of a model without states: convolutions, a mean, a classifier.

    quads: where every tensor is int8, as quads and not as pairs.
    """
    convs = [op for op in graph.step if isinstance(op, IntConv)]
    mean, classifier = _head(graph)
    names = [TENSOR_X, *(op.out for op in convs)]
    quads = quads and all(graph.quants[name].dtype == "int8" for name in names)
    kept = [*(max([op.kernel, *_lags(convs, name)]) for op, name in zip(convs, names, strict=False)), mean.columns]
    weights, numbers = _Constants(np.int8), _Constants(np.int32)
    table = np.zeros((len(names), COLUMNS), np.int64)
    used, stride = 0, 1
    for i, name in enumerate(names):
        width = graph.sizes[name]
        room = kept[i] + BURST // stride + 2
        table[i, [INPUTS, BUFFER, KEPT, ROOM]] = width, used, kept[i], room
        used += vectors_of(room * width + MOVED_BYTES, GROUP_BYTES) * GROUP_BYTES
        if i < len(convs):
            op = convs[i]
            skip = names.index(op.skip) if op.skip else -1
            places = _pack_conv(op, weights, numbers, quads=quads)
            lifted = HALF * op.skip_multiplier if quads and op.skip else 0
            rounding = op.shift, op.low, op.high, skip, op.skip_lag, op.skip_multiplier
            groups = 1 if is_spread(op.groups, graph.sizes[op.out]) else op.groups
            shape = width, graph.sizes[op.out], op.kernel, op.stride, groups
            table[i, : SKIP_MULTIPLIER + 1] = (*shape, *places, op.offset - lifted, *rounding)
            stride *= op.stride
    plan = np.zeros(ENTRIES, np.int64)
    plan[[QUADS, WINDOW, TOTAL_STRIDE, MEANS]] = quads, graph.window, stride, mean.columns
    plan[[ZERO_POINT, MEAN_MULTIPLIER, MEAN_SHIFT]] = mean.zero_point, int(mean.multiplier.value[0]), mean.shift
    # The mean, int16 of even number, lies behind the last buffer.
    plan[[MEAN, FC_W]] = used, weights.put(pack_groups(classifier.terms[0].w.value.T, quads=False))
    plan[[FC_B, LIMIT]] = numbers.put(_whole(_bias(classifier, graph.classes))), Borders(graph).limit
    used += vectors_of(graph.sizes[names[-1]], 2) * 2
    widest = max(*(graph.sizes[name] for name in names), graph.classes)
    return Layers(plan, table, weights.array(), numbers.array(), used, vectors_of(widest, WIDTH) * WIDTH)


class _Constants:
    """Arrays of one type laid one behind the other, each from a cache line on."""

    def __init__(self, dtype: type[np.int8 | np.int32]) -> None:
        self._dtype, self._used = dtype, 0
        self._parts: list[AnyArray] = [np.zeros(0, dtype)]

    def put(self, values: AnyArray) -> int:
        """Where the bytes of `values` begin, in units of this type."""
        size = np.dtype(self._dtype).itemsize
        raw = np.ascontiguousarray(values).view(self._dtype)
        place = self._used
        padding = -len(raw) % (64 // size)
        self._parts += [raw, np.zeros(padding, self._dtype)]
        self._used += len(raw) + padding
        return place

    def array(self) -> AnyArray:
        flat = np.concatenate(self._parts)
        packed = aligned(vectors_of(flat.nbytes, 4)).view(self._dtype)[: len(flat)]
        packed[:] = flat
        return packed


def _pack_conv(op: IntConv, weights: _Constants, numbers: _Constants, *, quads: bool) -> tuple[int, int, int]:
    """Places of weights, bias and multiplier. The bias of quads takes out what the 128 of their cells adds."""
    w = op.w.value  # [out, inputs / groups, kernel]
    bias = op.b.value.astype(np.int64)
    if quads:
        bias = bias - HALF * w.astype(np.int64).sum(axis=(1, 2))
    multiplier = np.broadcast_to(op.multiplier.value, len(bias))
    dense = op.groups == 1
    if is_spread(op.groups, len(bias)):
        w, dense = spread(w.astype(np.int8), op.groups), True
    rows = np.ascontiguousarray(w.transpose(2, 1, 0), np.int8).reshape(-1, len(bias))
    place = weights.put(pack_groups(rows, quads=quads) if dense else rows.ravel())
    return place, numbers.put(_whole(bias)), numbers.put(_whole(multiplier))


def _whole(values: AnyArray) -> Int32Array:
    """The values modulo 2^32, with zeros up to whole registers."""
    whole = np.zeros(vectors_of(len(values), WIDTH) * WIDTH, np.int32)
    whole[: len(values)] = values.astype(np.int64).astype(np.int32)
    return whole


def _head(graph: IntGraph) -> tuple[IntMean, IntLinear]:
    mean, classifier = graph.head
    if not isinstance(mean, IntMean) or not isinstance(classifier, IntLinear):
        raise TypeError(f"a convnet's head is a mean and a linear layer, not {graph.head}")
    return mean, classifier


def _lags(convs: Sequence[IntConv], name: str) -> list[int]:
    """Columns of this tensor that its skips need."""
    return [op.skip_lag + 1 for op in convs if op.skip == name]


def _bias(classifier: IntLinear, classes: int) -> Int32Array:
    bias = np.zeros(classes) if classifier.bias is None else classifier.bias.value
    return np.ascontiguousarray(bias, np.int32)


class IntegerConvnetEngine(Engine):
    """A buffer of columns for every layer."""

    def __init__(self, layers: Layers, graph: IntGraph, hop: int) -> None:
        plan = layers.plan.copy()
        plan[HOP] = hop
        borders = Borders(graph)
        wide = aligned(vectors_of(layers.cells, 2)).view(np.int16)
        sums = np.zeros((BURST + 1) * layers.widest, np.int32)
        constants = plan, borders.inverse, borders.scale, layers.table, layers.weights, layers.numbers
        counts = np.zeros((2, len(layers.table)), np.int64)
        self.kernel, self.state = advance, (counts,)
        self.arguments = *constants, wide.view(np.uint8), wide, counts, sums
