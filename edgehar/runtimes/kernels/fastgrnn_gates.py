"""Both gates of FastGRNN from one exponential and one division.

Gate and candidate share their sum, so with y = -log2(e) (W x + U h + b_h) and E = 2^y

    g = tanh = (1 - E^2) / (1 + E^2)        z = sigmoid = 1 / (1 + k E),  k = exp(b_h - b_z)
    h = (zeta (1 - z) + nu) g + z h = (p (h - m) + 2 m) / (p + k E p),  p = 1 + E^2,  m = nu + (zeta + nu) k E

The factor -log2(e) is part of the packed weights, so a product gives y itself. y ends at `limits` above, where both
gates have reached what float32 can tell from their limits while k E^3 stays finite, and at `LOWEST` below, while E and
k E are normal numbers: on others a CPU takes half as long again. That takes biases that differ by less than 16 of each
other; others, and CPUs without a known vector unit, take `plain_gates`.
Roofline: 19 vector operations, a division and four loads for `WIDTH` units of a lane. Ten of them, and a division
as long as two, go to the units that multiply and add; the others have units of their own on the CPU that we measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, inlined_kernel, kernel
from edgehar.runtimes.kernels.exponential import (
    constant,
    emit_exp2,
    emit_greatest,
    emit_least,
    exp2_np,
)
from edgehar.runtimes.kernels.gates import HALF, tanh_parts
from edgehar.runtimes.kernels.vector import INT, SUMS, WIDTH, Emitter, Values
from edgehar.types import FloatArray

SCALE: Final = -np.log2(np.e)
"""What the weights and biases of a sum are multiplied by: y = SCALE * sum."""
SATURATED: Final = 26.0
"""2^-26 beside 1 is nothing in float32."""
LOWEST: Final = -60.0
"""Where y ends below: k E <= 2^-37 beside 1 is nothing either."""
FARTHEST: Final = 23.0
"""|log2 k| at most: with y <= SATURATED + |log2 k| the product k E^3 stays below 2^125."""
UNIT_ROWS: Final = 2
"""Rows of what `unit_rows` gives: k and the limits."""
MOST: Final = 6 if SUMS >= 24 else 3
"""Vectors at a time; each takes four registers, the constants twelve."""
SHAPES: Final = [(r, v) for r in (4, 2, 1) for v in range(1, MOST + 1) if r * v <= MOST]
UNSCALE: Final = np.float32(1 / SCALE)


def unit_rows(b_z: FloatArray, b_h: FloatArray) -> FloatArray:
    """Per unit, k and the upper limit of y [2, hidden]; k is far off where `within_reach` says no."""
    log2_k = (b_h.astype(np.float64) - b_z) * np.log2(np.e)
    bounded = np.clip(log2_k, -FARTHEST, FARTHEST)
    return np.stack([2.0**bounded, SATURATED - np.minimum(bounded, 0)]).astype(np.float32)


def within_reach(b_z: FloatArray, b_h: FloatArray) -> bool:
    """Whether one exponential gives both gates, on this CPU and with these biases."""
    distance = np.abs(b_h.astype(np.float64) - b_z) * np.log2(np.e)
    return SUMS > 0 and bool((distance <= FARTHEST).all())


@intrinsic
def _gate_tiles(
    _: Any, high: Any, wide: Any, h: Any, ho: Any, s: Any, so: Any, step: Any, units: Any, uo: Any, us: Any,  # noqa: ARG001
    rows: Any, zeta: Any, nu: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """`high` x `wide` vectors at a time, for `rows` rows, `step` values apart; the limits lie `us` behind k."""
    i = types.intp
    signature = types.void(i, i, h, i, s, i, i, units, i, i, i, types.float32, types.float32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)

        def pointer(k: int) -> Any:
            array = context.make_array(signature.args[k])(context, builder, arguments[k])
            return e.at(array.data, arguments[k + 1])

        state, sums, ratios = (pointer(k) for k in (2, 4, 7))
        step, rows = arguments[6], arguments[10]
        limits = e.at(ratios, arguments[9])
        zeta, nu = e.splat(builder.fadd(arguments[11], arguments[12])), e.splat(arguments[12])
        end = builder.append_basic_block("gated")
        chosen = builder.switch(builder.add(builder.mul(arguments[0], INT(MOST + 1)), arguments[1]), end)
        for r, w in SHAPES:
            case = builder.append_basic_block(f"gates{r}x{w}")
            chosen.add_case(INT(r * (MOST + 1) + w), case)
            builder.position_at_end(case)
            _emit_rows(e, r, w, rows, step, (state, sums, ratios, limits, zeta, nu))
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


gate_tiles: Final[Any] = _gate_tiles


def _emit_rows(e: Emitter, high: int, wide: int, rows: Any, step: Any, operands: tuple[Any, ...]) -> None:
    """Rows `high` at a time, each with its first `wide` vectors."""

    def several(r: Any) -> None:
        starts = [e.b.mul(e.b.add(r, INT(k)), step) for k in range(high)]
        _emit_gates(e, [(start, v) for start in starts for v in range(wide)], *operands)

    e.each(rows, several, step=high)


def _emit_gates(
    e: Emitter, places: list[tuple[Any, int]], state: Any, sums: Any, ratios: Any, limits: Any, zeta: Any, nu: Any
) -> None:
    """`places`: where the row of each vector begins, and which of its vectors it is. zeta: zeta + nu."""

    def loaded(pointer: Any) -> Values:
        return [e.load(e.at(pointer, row), v) for row, v in places]

    def old() -> Values:
        return loaded(state)

    new = emit_states(e, [v for _, v in places], loaded(sums), old, ratios, limits, zeta, nu)
    for h, (row, v) in zip(new, places, strict=True):
        e.store(h, e.at(state, row), v)


def emit_states(
    e: Emitter, vectors: list[int], sums: Values, old: Callable[[], Values], ratios: Any, limits: Any, zeta: Any,
    nu: Any,
) -> Values:  # fmt: skip
    """New states from sums y; vector number v of a row has its k and limit in number v of `ratios` and `limits`.

    `old` loads the old states where they are first needed, so that they fill no registers before. zeta: zeta + nu.
    """
    b, one = e.b, constant(1)
    capped = [emit_least(e, y, e.load(limits, v)) for y, v in zip(sums, vectors, strict=True)]
    powers = emit_exp2(e, [emit_greatest(e, y, constant(LOWEST)) for y in capped])
    resets = [b.fmul(p, e.load(ratios, v)) for p, v in zip(powers, vectors, strict=True)]  # k E
    more = [e.fma(p, p, one) for p in powers]  # p
    moved = [e.fma(r, zeta, nu) for r in resets]  # m
    kept = [b.fsub(h, m) for h, m in zip(old(), moved, strict=True)]
    above = [e.fma(p, d, b.fadd(m, m)) for p, d, m in zip(more, kept, moved, strict=True)]
    below = [e.fma(r, p, p) for r, p in zip(resets, more, strict=True)]
    return [b.fdiv(x, y) for x, y in zip(above, below, strict=True)]


@inlined_kernel
def _vector_gates(
    h: Vector, ho: int, s: Vector, so: int, units: Vector, uo: int, rows: int, vectors: int, zeta: np.float32,
    nu: np.float32,
) -> None:  # fmt: skip
    """New h [rows, vectors] from y [rows, vectors] in s; no padding between rows. units: see `unit_rows`."""
    n = vectors * WIDTH
    left, tiles = vectors, (vectors + MOST - 1) // MOST
    while left > 0:
        take = (left + tiles - 1) // tiles
        left -= take
        tiles -= 1
        at = left * WIDTH
        r = 0
        while r < rows:
            high = 4
            while high > 1 and (high * take > MOST or high > rows - r):
                high //= 2
            some = (rows - r) // high * high
            gate_tiles(high, take, h, ho + r * n + at, s, so + r * n + at, n, units, uo + at, n, some, zeta, nu)
            r += some


@kernel
def plain_gates(
    h: Vector, ho: int, s: Vector, so: int, b_z: Vector, bo: int, rows: int, vectors: int, zeta: np.float32,
    nu: np.float32,
) -> None:  # fmt: skip
    """The same for any biases: b_z - b_h at `bo` of b_z; two rational functions of `edgehar.runtimes.kernels.gates`.

    z = sigmoid(t + b_z - b_h) = (q + p) / 2 q and g = tanh(t) = c / d, brought to one fraction:
    ((zeta (q - p) / 2 + nu q) c + (q + p) / 2 h d) / (q d); q and d lie in [1, 300].
    """
    n = vectors * WIDTH
    half_zeta = HALF * zeta
    for r in range(rows):
        for i in range(n):
            t = UNSCALE * s[so + r * n + i]
            p, q = tanh_parts(HALF * (t + b_z[bo + i]))
            c, d = tanh_parts(t)
            kept = HALF * (q + p) * h[ho + r * n + i] * d
            h[ho + r * n + i] = ((half_zeta * (q - p) + nu * q) * c + kept) / (q * d)


gates: Final = _vector_gates if SUMS else plain_gates


def gates_np(y: FloatArray, h: FloatArray, units: FloatArray, zeta: np.float32, nu: np.float32) -> FloatArray:
    """Twin of `gates`: y and h [rows, hidden], units [2, hidden]."""
    power = exp2_np(np.maximum(np.minimum(y, units[1]), np.float32(LOWEST)))
    reset, more = power * units[0], 1 + power * power
    moved = reset * (zeta + nu) + nu
    new: FloatArray = (more * (h - moved) + (moved + moved)) / (reset * more + more)
    return new
