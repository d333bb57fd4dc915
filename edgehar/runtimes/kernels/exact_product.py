"""A small matrix product whose every term is rounded before it is added, input by input: the bits of NumPy's cumsum.

Roofline: a load of weights, a product and an addition per vector and input; four vectors of sums wait in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, exact_kernel
from edgehar.runtimes.kernels.vector import INT, WIDTH, Emitter, Values

TILE: Final = 4


@intrinsic
def _weigh(_: Any, out: Any, vectors: Any, matrix: Any, x: Any, inputs: Any) -> Any:  # noqa: ARG001
    i = types.intp
    signature = types.void(out, i, matrix, x, i)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e, b = Emitter(builder), builder
        out, matrix, x = (context.make_array(signature.args[k])(context, b, arguments[k]).data for k in (0, 2, 3))
        vectors, inputs = arguments[1], arguments[4]
        step = b.mul(vectors, INT(WIDTH))

        def tile(n: int) -> Callable[[Any], None]:
            def vectors_from(v: Any) -> None:
                at = b.mul(v, INT(WIDTH))
                target, column = e.at(out, at), e.at(matrix, at)

                def term(j: Any, sums: Values) -> Values:
                    row, value = e.at(column, b.mul(j, step)), e.splat(b.load(e.at(x, j)))
                    return [b.fadd(s, b.fmul(e.load(row, k), value)) for k, s in enumerate(sums)]

                for k, value in enumerate(e.loop(INT(0), inputs, 1, [e.load(target, k) for k in range(n)], term)):
                    e.store(value, target, k)

            return vectors_from

        whole = b.sub(vectors, b.urem(vectors, INT(TILE)))
        e.each(whole, tile(TILE), step=TILE)
        e.each(vectors, tile(1), first=whole)
        return context.get_dummy_value()

    return signature, generate


@exact_kernel
def weigh(out: Vector, vectors: int, matrix: Vector, x: Vector) -> None:
    """Add x [m] times the matrix [m, vectors], which begins where the array does, to `out`."""
    _weigh(out, vectors, matrix, x, len(x))  # type: ignore[call-arg]
