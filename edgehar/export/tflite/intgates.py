"""Gated updates in Q15 on int16, around a state of int8 or int16."""

from __future__ import annotations

import numpy as np

from edgehar.export.tflite.fixedpoint import LARGEST16, Q15, FixedPoint
from edgehar.export.tflite.floats import split_gates
from edgehar.graph.intops import PRE_BITS, IntGatedUpdate, IntGruUpdate
from edgehar.graph.ops import Constant

PRE = 2.0**-PRE_BITS
SMALL = 1e-6  # stands for a gain of 0, which has no scale


def emit_gated(f: FixedPoint, op: IntGatedUpdate) -> None:
    """FastGRNN: (zeta (1 - z) + nu) g + z h."""
    pre, h, fine = f.tensors[op.pre], f.wide(op.h), f.fine(op.out)
    zeta, nu = (max(float(c.value[0]) * Q15, SMALL) for c in (op.zeta, op.nu))

    def biased(b: Constant) -> str:
        return f.add(pre, f.const16(b.name, b.value.astype(np.float64) * PRE, PRE), PRE)

    z, g = f.gate("LOGISTIC", biased(op.b_z)), f.gate("TANH", biased(op.b_h))
    shrunk = f.mul(z, f.const16("minus_zeta", np.array([-zeta])), zeta / LARGEST16)
    mixed = f.add(shrunk, f.const16("zeta_plus_nu", np.array([zeta + nu])), (zeta + nu) / LARGEST16)
    candidate = f.mul(mixed, g, max(fine, (zeta + nu) / LARGEST16))
    kept = f.mul(z, h, fine)
    f.tensors[op.out] = f.settle(f.add(candidate, kept, fine), op.out)


def emit_gru(f: FixedPoint, op: IntGruUpdate) -> None:
    """(1 - z) n + z h = n + z (h - n)."""
    h, fine = f.wide(op.h), f.fine(op.out)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (split_gates(f.b, f.tensors[name]) for name in (op.from_x, op.from_h))
    r, z = f.gate("LOGISTIC", f.add(x_r, h_r, PRE)), f.gate("LOGISTIC", f.add(x_z, h_z, PRE))
    n = f.gate("TANH", f.add(x_n, f.mul(r, h_n, f.scale_here(h_n)), PRE))
    apart = f.sub(h, n, (1.0 + f.largest(op.h)) / LARGEST16)
    moved = f.mul(z, apart, f.scale_here(apart))
    f.tensors[op.out] = f.settle(f.add(n, moved, fine), op.out)
