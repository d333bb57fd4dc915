"""Spiking populations: drives in int16, potentials of int8 or int16, spikes that are exactly 0 or 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgehar.export.tflite.builder import INT32
from edgehar.export.tflite.fixedpoint import LARGEST16, Q15, SPIKE, FixedPoint
from edgehar.export.tflite.intlinear import scale_for
from edgehar.export.tflite.model import TensorQuant
from edgehar.graph.intops import IntAccumulate, IntExpand, IntLegendre, IntLif
from edgehar.graph.ops import Constant

HIGH = 259
"""A 16-bit weight as two of 8 bits: w = HIGH high + low; of +-32767 at most 2 units are lost."""


def emit_expand(f: FixedPoint, op: IntExpand) -> None:
    """Every channel drives its own neurons: a broadcast product."""
    channels, pop = op.w.value.shape
    unit = float(op.multiplier.value[0]) / 2.0**op.shift * f.scale(op.out) / f.scale(op.x)
    w, bias = op.w.value.astype(np.float64) * unit, op.b.value.astype(np.float64) * f.scale(op.out)
    x = f.b.reshape(f.wide(op.x), (channels, 1))
    worst = float(np.abs(w).max()) * f.largest(op.x)
    driven = f.mul(x, f.const16(op.w.name, w), scale_for(f, op.out, worst), (channels, pop))
    worst += float(np.abs(bias).max())
    drive = f.add(driven, f.const16(op.b.name, bias), scale_for(f, op.out, worst))
    f.tensors[op.out] = f.b.reshape(drive, (1, channels * pop))


def emit_legendre(f: FixedPoint, op: IntLegendre) -> None:
    """[a b] [x; u] for all rows of the memory at once, in two products of 8 bits; then the gain of each neuron."""
    ab = np.concatenate([op.a.value, op.b.value[:, None]], axis=1).astype(np.int64)
    order, memory = len(ab), f.graph.sizes[op.u]
    gain = op.multiplier.value.astype(np.float64) / 2.0**op.shift * f.scale(op.out)
    unit = float(gain.max())
    rows = [f.b.reshape(f.wide(op.x), (memory, order)), f.b.reshape(f.wide(op.u), (memory, 1))]
    joined = f.b.op("CONCATENATION", rows, (memory, order + 1), quant=SPIKE, axis=1)
    high = np.rint(ab / HIGH).astype(np.int64)
    low = (ab - HIGH * high).clip(-127, 127)
    scale = scale_for(f, op.out, float(np.abs(ab).sum(axis=1).max()) * unit)
    name = f"{op.a.name}_{op.b.name}"
    coarse = f.product(joined, f"{name}.high", high.astype(np.int8), np.array([HIGH * unit]), None, scale)
    rest = f.product(joined, f"{name}.low", low.astype(np.int8), np.array([unit]), None, scale)
    drive = f.b.reshape(f.add(coarse, rest, scale), (1, memory * order))
    if len(gain) > 1:
        drive = f.mul(drive, f.const16(f"{name}.gain", gain / unit), scale)
    f.tensors[op.out] = drive


def emit_lif(f: FixedPoint, op: IntLif) -> None:
    """The membrane at 1 / 256 of its unit (int8) or in it (int16); decay, drive, late reset, and the comparison."""
    fine, largest = f.fine(op.potential), f.largest(op.potential)
    drive = f.tensors[op.drive]
    if op.alpha is not None:
        current = f.add(f.mul(f.wide(op.current), _q15(f, op.alpha), fine), drive, fine)
        f.tensors[op.current_out] = f.settle(current, op.current_out)
        drive = f.wide(op.current_out)
    threshold = f.b.ints(op.threshold.name, op.threshold.value[None])
    real = op.threshold.value.astype(np.float64) * f.scale(op.potential)
    reset_by = f.const16(f"{op.threshold.name}.reset", real, f.scale(op.potential))
    kept = f.mul(f.wide(op.potential), _q15(f, op.beta), fine)
    reach = largest + _reach(f, drive)
    held = f.add(kept, drive, max(fine, reach / LARGEST16))
    reset = f.mul(f.above(f.wide(op.potential), threshold), reset_by, f.scale(op.potential))
    f.tensors[op.potential_out] = f.settle(f.sub(held, reset, fine), op.potential_out)
    f.tensors[op.out] = f.above(f.tensors[op.potential_out], threshold)


def emit_accumulate(f: FixedPoint, op: IntAccumulate) -> None:
    """The score in int32."""
    quant = TensorQuant((f.scale(op.out),))
    added = f.cast(f.tensors[op.x], INT32, quant)
    f.tensors[op.out] = f.b.op("ADD", [f.tensors[op.total], added], quant=quant)


def _reach(f: FixedPoint, drive: str) -> float:
    """What an int16 tensor can hold at most; an int8 one that was widened holds less."""
    return f.scale_here(drive) * LARGEST16


def _q15(f: FixedPoint, decay: Constant) -> str:
    value: NDArray[np.float64] = decay.value.astype(np.float64) * Q15
    return f.const16(decay.name, value, Q15)
