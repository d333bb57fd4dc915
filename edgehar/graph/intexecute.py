"""The integer graph on whole windows in NumPy: the reference of every integer runtime, bit for bit.

The equations stand in `edgehar.graph.intops`. Sums of products are taken in float64, which is exact below 2^53 and
lets BLAS do the work; everything else is int64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.graph.execute import Values, Watch, columns_of, run_steps
from edgehar.graph.graph import IntGraph
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
from edgehar.graph.ops import TENSOR_X, Constant
from edgehar.types import FloatArray, IntArray

LIMITS: Mapping[str, tuple[int, int]] = {
    "int8": (-128, 127),
    "int16": (-32768, 32767),
    "int32": (-(1 << 31), (1 << 31) - 1),
}


def run_int_graph(graph: IntGraph, x: FloatArray, watch: Watch | None = None) -> FloatArray:
    """Logits [b, classes] of preprocessed float windows x [b, window, inputs]; `watch` sees integers (as int64)."""
    values = run_steps(
        graph.states, quantise_input(graph, x), graph.step, lambda op, v: apply_int(graph, op, v), np.int64, watch
    )
    for op in graph.head:
        values[op.out] = apply_int(graph, op, values)
    if watch is not None and graph.head:
        watch(values)
    return dequantise(graph, values[graph.output])


def quantise_input(graph: IntGraph, x: FloatArray) -> IntArray:
    """sat(rint(x * float32(1 / scale))), a single float32 product rounded half to even; zero point 0.

    NaN, which has no integer, becomes 0 as it does in C and in the kernels.
    """
    quant = graph.quants[TENSOR_X]
    low, high = LIMITS[quant.dtype]
    with np.errstate(over="ignore"):  # beyond float32 is beyond the dtype, too
        scaled = np.asarray(x, np.float32) * inverse_scale(quant.scale)
    return np.asarray(np.nan_to_num(np.clip(np.rint(scaled), low, high), nan=0.0).astype(np.int64))


def inverse_scale(scale: float) -> np.float32:
    """What C multiplies an input by; one value for all runtimes."""
    return np.float32(1.0 / scale)


def dequantise(graph: IntGraph, logits: IntArray) -> FloatArray:
    """float32(q) float32(scale): one rounding each, the same everywhere."""
    return np.asarray(logits.astype(np.float32) * np.float32(graph.quants[graph.output].scale))


def apply_int(graph: IntGraph, op: IntOp, v: Values) -> Any:
    """The value of op.out, or a dict where the operation writes several tensors."""
    return EQUATIONS[type(op)](op, v, graph)


def tanh_q15(v: IntArray, table: IntArray, fraction_bits: int = 7) -> IntArray:
    """Hyperbolic tangent in Q15 of v in Q12 (fraction_bits 7) or Q13 (8); table [129] int64."""
    magnitude = np.abs(v)
    k, f = magnitude >> fraction_bits, magnitude & ((1 << fraction_bits) - 1)
    k = np.minimum(k, len(table) - 2)
    between = table[k] + (((table[k + 1] - table[k]) * f + (1 << (fraction_bits - 1))) >> fraction_bits)
    t = np.where(magnitude >> fraction_bits >= len(table) - 1, table[-1], between)
    return np.asarray(np.where(v < 0, -t, t))


def sigmoid_q15(v: IntArray, table: IntArray) -> IntArray:
    """Sigmoid in Q15 of v in Q12, 0 to 32767."""
    return np.asarray((32768 + tanh_q15(v, table, 8)) >> 1)


def rounded(v: NDArray[Any], shift: int) -> IntArray:
    """round(v, shift) of the integer equations."""
    return v if shift == 0 else np.asarray((v + (1 << (shift - 1))) >> shift)


def _ints(constant: Constant) -> IntArray:
    return np.asarray(constant.value, np.int64)


def _dot(x: IntArray, w: IntArray) -> IntArray:
    """X [..., n] w [rows, n] -> [..., rows], exactly."""
    return np.asarray((x.astype(np.float64) @ w.T.astype(np.float64)).astype(np.int64))


def _clamp(graph: IntGraph, name: str, v: IntArray) -> IntArray:
    dtype = graph.quants[name].dtype
    return v if dtype == "int32" else np.clip(v, *LIMITS[dtype])


def _sat16(v: IntArray) -> IntArray:
    return np.clip(v, *LIMITS["int16"])


def _linear(op: IntLinear, v: Values, graph: IntGraph) -> IntArray:
    total: IntArray = np.zeros(1, np.int64)
    for term in op.terms:
        total = total + _dot(v[term.x], _ints(term.w)) * _ints(term.multiplier)
    out = rounded(total, op.shift)
    return _clamp(graph, op.out, out if op.bias is None else out + _ints(op.bias))


def _expand(op: IntExpand, v: Values, _: IntGraph) -> IntArray:
    driven = rounded(v[op.x][:, :, None] * _ints(op.w) * _ints(op.multiplier), op.shift) + _ints(op.b)
    return driven.reshape(len(driven), -1)


def _legendre(op: IntLegendre, v: Values, _: IntGraph) -> IntArray:
    b, u = _ints(op.b), v[op.u]
    rows = v[op.x].reshape(len(u), u.shape[1], len(b))
    acc = _dot(rows, _ints(op.a)) + u[:, :, None] * b
    return rounded(acc.reshape(len(u), -1) * _ints(op.multiplier), op.shift)


def _gated(op: IntGatedUpdate, v: Values, graph: IntGraph) -> IntArray:
    table, pre = _ints(op.table), v[op.pre]
    z = sigmoid_q15(_sat16(pre + _ints(op.b_z)), table)
    g = tanh_q15(_sat16(pre + _ints(op.b_h)), table)
    a = ((_ints(op.zeta) * (32768 - z)) >> 15) + _ints(op.nu)
    return _clamp(graph, op.out, rounded(z * v[op.h] + rounded(a * g, 15) * op.unit, 15))


def _gru(op: IntGruUpdate, v: Values, graph: IntGraph) -> IntArray:
    table = _ints(op.table)
    x_r, x_z, x_n = np.split(v[op.from_x], 3, axis=1)
    h_r, h_z, h_n = np.split(v[op.from_h], 3, axis=1)
    r, z = sigmoid_q15(_sat16(x_r + h_r), table), sigmoid_q15(_sat16(x_z + h_z), table)
    n = tanh_q15(_sat16(x_n + ((r * _sat16(h_n)) >> 15)), table)
    return _clamp(graph, op.out, rounded(z * v[op.h] + rounded((32768 - z) * n, 15) * op.unit, 15))


def _lif(op: IntLif, v: Values, graph: IntGraph) -> Values:
    drive, threshold, u = v[op.drive], _ints(op.threshold), v[op.potential]
    made: Values = {}
    if op.alpha is not None:
        current = _clamp(graph, op.current_out, rounded(((_ints(op.alpha) * v[op.current]) >> 7) + drive, 8))
        made[op.current_out] = current
        drive = current << 8
    new = rounded(((_ints(op.beta) * u) >> 7) + drive, 8) - np.where(u > threshold, threshold, 0)
    new = _clamp(graph, op.potential_out, new)
    return {**made, op.potential_out: new, op.out: (new > threshold).astype(np.int64)}


def _accumulate(op: IntAccumulate, v: Values, _: IntGraph) -> IntArray:
    return np.asarray(v[op.total] + v[op.x])


def _conv(op: IntConv, v: Values, _: IntGraph) -> IntArray:
    w = _ints(op.w)
    views = columns_of(v[op.x].astype(np.float64), op.kernel, op.stride)  # [b, t, in, kernel]
    taps = views.reshape(*views.shape[:2], op.groups, -1)
    kernels = w.reshape(op.groups, len(w) // op.groups, -1).astype(np.float64)
    exact = np.einsum("btgi,goi->btgo", taps, kernels, optimize=True).reshape(*views.shape[:2], -1)
    total = (exact.astype(np.int64) + _ints(op.b)) * _ints(op.multiplier) + op.offset
    if op.skip:
        total = total + v[op.skip][:, op.skip_lag : op.skip_lag + total.shape[1]] * op.skip_multiplier
    return np.clip(rounded(total, op.shift), op.low, op.high)


def _mean(op: IntMean, v: Values, _: IntGraph) -> IntArray:
    total = v[op.x].sum(axis=1) - op.columns * op.zero_point
    return _sat16(rounded(total * _ints(op.multiplier), op.shift))


EQUATIONS: Mapping[type[IntOp], Callable[[Any, Values, IntGraph], Any]] = {
    IntLinear: _linear,
    IntExpand: _expand,
    IntLegendre: _legendre,
    IntGatedUpdate: _gated,
    IntGruUpdate: _gru,
    IntLif: _lif,
    IntAccumulate: _accumulate,
    IntConv: _conv,
    IntMean: _mean,
}
