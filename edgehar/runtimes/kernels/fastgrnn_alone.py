"""Steps of one dense FastGRNN state that is alone: whole windows, and streams whose windows do not overlap.

A lone state waits: for the gates after its sums, for its sums after the gates. So the gates take the sums of a tile
from registers, new states go to a place of their own, and while one tile's gates are on their way the next tile's
sums are. What does not wait for the state, W x, comes first in every sum and fills the time after the last gates.

Roofline: a vector of weights loaded for every multiply-add, one of each a cycle on the CPUs that we know; hidden
(hidden + inputs) / `WIDTH` of them a sample.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, inlined_kernel
from edgehar.runtimes.kernels.fastgrnn_gates import emit_states
from edgehar.runtimes.kernels.vector import INT, LANES, LONE_SUMS, SUMS, WIDTH, Emitter, Values

WIDEST_TILE: Final = 6 if SUMS >= 24 else 3
"""Vectors of a tile: while their gates are computed each takes four registers, as in `fastgrnn_gates`."""


@intrinsic
def _step_tile(
    _: Any, vectors: Any, out: Any, oo: Any, h: Any, ho: Any, hidden: Any, x: Any, xo: Any, inputs: Any,  # noqa: ARG001
    weights: Any, w: Any, u: Any, bias: Any, units: Any, at: Any, size: Any, zeta: Any, nu: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """`vectors` vectors, the first at place `at` of a row, of the states after h; a row of weights is `size` long."""
    i, f = types.intp, types.float32
    signature = types.void(i, out, i, h, i, i, x, i, i, weights, i, i, i, i, i, i, f, f)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder

        def pointer(k: int, *offsets: Any) -> Any:
            place = context.make_array(signature.args[k])(context, b, arguments[k]).data
            for offset in offsets:
                place = e.at(place, offset)
            return place

        at, size = arguments[14], arguments[15]
        new, state, samples = pointer(1, arguments[2], at), pointer(3, arguments[4]), pointer(6, arguments[7])
        w, u, bias, ratios = (pointer(9, arguments[k], at) for k in (10, 11, 12, 13))
        limits, old = e.at(ratios, size), e.at(state, at)
        zeta, nu = e.splat(b.fadd(arguments[16], arguments[17])), e.splat(arguments[17])
        end = b.append_basic_block("stepped")
        chosen = b.switch(arguments[0], end)
        for n in range(1, WIDEST_TILE + 1):
            case = b.append_basic_block(f"step{n}")
            chosen.add_case(INT(n), case)
            b.position_at_end(case)
            sums = [e.load(bias, v) for v in range(n)]
            sums = _emit_sums(e, sums, 1, samples, arguments[8], w, size)
            sums = _emit_sums(e, sums, max(1, min(4, LONE_SUMS // n)), state, arguments[5], u, size)

            def held(n: int = n) -> Values:
                return [e.load(old, v) for v in range(n)]

            states = emit_states(e, list(range(n)), sums, held, ratios, limits, zeta, nu)
            for v, value in enumerate(states):
                e.store(value, new, v)
            b.branch(end)
        b.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


step_tile: Final[Any] = _step_tile


def _emit_sums(e: Emitter, sums: Values, sets: int, x: Any, inner: Any, matrix: Any, step: Any) -> Values:
    """Sums plus x [inner] times the matrix [inner, len(sums) vectors], its terms in `sets` sums each."""
    b, n = e.b, len(sums)

    def terms(j: Any, sums: Values) -> Values:
        line = e.at(matrix, b.mul(step, j))
        value = e.splat(b.load(e.at(x, j)))
        return [e.fma(e.load(line, v), value, s) for v, s in enumerate(sums)]

    def several(j: Any, sums: Values) -> Values:
        return [s for k in range(sets) for s in terms(b.add(j, INT(k)), sums[k * n : (k + 1) * n])]

    done = INT(0)
    if sets > 1:
        done = b.sub(inner, b.urem(inner, INT(sets)))
        zeros = [ir.Constant(LANES, [0.0] * WIDTH)] * (n * (sets - 1))
        parts = e.loop(INT(0), done, sets, [*sums, *zeros], several)
        while len(parts) > n:  # in pairs: fewer additions wait for each other
            half = (len(parts) // n + 1) // 2 * n
            parts = [
                *(b.fadd(p, q) for p, q in zip(parts, parts[half:], strict=False)),
                *parts[len(parts) - half : half],
            ]
        sums = parts
    return e.loop(done, inner, 1, sums, terms)


@inlined_kernel
def lone_step(
    out: Vector, oo: int, h: Vector, ho: int, hidden: int, x: Vector, xo: int, inputs: int, weights: Vector, w: int,
    u: int, bias: int, units: int, vectors: int, zeta: np.float32, nu: np.float32,
) -> None:  # fmt: skip
    """The state at `oo` of out from that at `ho` of h and the sample at `xo` of x; w, u, bias, units: in weights."""
    tiles = (vectors + WIDEST_TILE - 1) // WIDEST_TILE
    v = 0
    while v < vectors:
        take = (vectors - v + tiles - 1) // tiles
        step_tile(
            take, out, oo, h, ho, hidden, x, xo, inputs, weights, w, u, bias, units, v * WIDTH, vectors * WIDTH, zeta,
            nu,
        )  # fmt: skip
        v += take
        tiles -= 1
