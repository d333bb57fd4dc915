"""2^y in vector registers: what gates are made of, since sigmoid(-y ln 2) = 1 / (1 + 2^y).

With n = round(y) and f = y - n in [-1/2, 1/2], 2^y is 2^n, an addition to the exponent's bits, times a polynomial of
2^f: of degree 5, our own least-squares fit, reweighted until the largest relative error levelled off at 7.5e-8.
In float32 the relative error is at most `ERROR` (tests/unit/runtimes/test_exponential.py): eleven vector operations,
five of them fused multiply-adds. A core's scheduler sees about 60 operations ahead, two or three chains as long as a
gate's, so everything here is emitted for several vectors at a time, operation by operation.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir

from edgehar.runtimes.kernels.vector import LANES, WIDTH, Emitter, Values
from edgehar.types import FloatArray

ERROR: Final = 3e-7
LEAST: Final = -126.0
"""Least y that is taken, and -LEAST the greatest: 2^y and its exponent stay those of normal numbers."""
COEFFICIENTS: Final = (1.0000001, 0.69314694, 0.2402212, 0.05550713, 0.009675542, 0.0013276471)
ROUND: Final = 1.5 * 2**23
"""y + ROUND has y, rounded to a whole number, in its last bits."""
MANTISSA_BITS: Final = 23


def emit_exp2(e: Emitter, ys: Values) -> Values:
    """2^y of vectors y in [LEAST, -LEAST]; anything else gives a number without meaning."""
    b = e.b
    whole = ir.VectorType(ir.IntType(32), WIDTH)
    left = ir.Constant(whole, [MANTISSA_BITS] * WIDTH)
    shifted = [b.fadd(y, constant(ROUND)) for y in ys]
    rounded = [b.fsub(s, constant(ROUND)) for s in shifted]
    rest = [b.fsub(y, n) for y, n in zip(ys, rounded, strict=True)]
    powers = [constant(COEFFICIENTS[-1])] * len(ys)
    for c in COEFFICIENTS[-2::-1]:
        powers = [e.fma(p, f, constant(c)) for p, f in zip(powers, rest, strict=True)]
    exponents = [b.shl(b.bitcast(s, whole), left) for s in shifted]
    return [b.bitcast(b.add(b.bitcast(p, whole), n), LANES) for p, n in zip(powers, exponents, strict=True)]


def emit_least(e: Emitter, a: Any, b: Any) -> Any:
    """The smaller of two vectors, b where a is NaN."""
    return e.b.select(e.b.fcmp_ordered("<", a, b), a, b)


def emit_greatest(e: Emitter, a: Any, b: Any) -> Any:
    """The greater of two vectors, b where a is NaN."""
    return e.b.select(e.b.fcmp_ordered(">", a, b), a, b)


def constant(value: float) -> Any:
    """The value in every lane."""
    return ir.Constant(LANES, [float(np.float32(value))] * WIDTH)


def exp2_np(y: FloatArray) -> FloatArray:
    """`emit_exp2` without fused multiply-adds: equal to it but for the last bits."""
    n = np.rint(y)
    f = y - n
    power = np.full_like(f, COEFFICIENTS[-1])
    for c in COEFFICIENTS[-2::-1]:
        power = power * f + np.float32(c)
    scaled: FloatArray = np.ldexp(power, n.astype(np.int32))
    return scaled
