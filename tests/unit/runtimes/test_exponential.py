"""2^y in vector registers and its twin stay within their stated error over the whole range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from edgehar.runtimes.kernels.compiler import Vector, kernel
from edgehar.runtimes.kernels.exponential import ERROR, LEAST, emit_exp2, exp2_np
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import INT, WIDTH, Emitter

Y = np.concatenate([np.linspace(LEAST, -LEAST, 100_001), np.arange(-126, 127) + 0.5, np.arange(-126, 127)])
Y = np.clip(Y, LEAST, -LEAST).astype(np.float32)
Y = np.concatenate([Y, np.zeros(-len(Y) % WIDTH, np.float32)])


@intrinsic
def exp2_of(_: Any, y: Any, vectors: Any) -> Any:
    signature = types.void(y, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        e = Emitter(builder)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data

        def vector(v: Any, _: Any) -> Any:
            place = e.at(data, builder.mul(v, INT(WIDTH)))
            (power,) = emit_exp2(e, [e.load(place, 0)])
            e.store(power, place, 0)
            return []

        e.loop(INT(0), arguments[1], 1, [], vector)
        return context.get_dummy_value()

    return signature, generate


@kernel
def exp2(y: Vector) -> None:
    exp2_of(y, len(y) // WIDTH)


def test_both_stay_within_the_stated_relative_error() -> None:
    exact = np.exp2(Y.astype(np.float64))
    vectors = aligned(len(Y))
    vectors[:] = Y
    exp2(vectors)
    assert (np.abs(vectors / exact - 1)).max() <= ERROR
    assert (np.abs(exp2_np(Y) / exact - 1)).max() <= ERROR
