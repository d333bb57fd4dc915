"""Spiking populations: integer weights, potentials and spikes; float32 carries the integers in between.

One unit more or less in a potential can be another spike, and another course of the window, so this arithmetic must be
the integer graph's to the bit, or next to it. TFLite has no products of int32 with a shift, but float32 holds every
integer below 2^24: drives and potentials are whole numbers there, rounded by FLOOR where the graph shifts. What cannot
be exact is the product of a sum with a 30-bit multiplier, off by 2^-24 of it before it is rounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgehar.export.tflite.builder import BOOL, FLOAT32, INT8, INT16, INT32
from edgehar.export.tflite.fixedpoint import LARGEST16, FixedPoint
from edgehar.export.tflite.model import TensorQuant
from edgehar.graph.intops import IntAccumulate, IntExpand, IntLegendre, IntLif, IntLinear, IntTerm
from edgehar.graph.quantise import DRIVE_BITS

SPIKE = TensorQuant((1.0,))
DECAY_SHIFT = 7  # of (beta U) >> 7


def emit_drive(f: FixedPoint, op: IntLinear) -> None:
    """round(sum of w x multiplier, shift) + bias, in units of the drive."""
    total = ""
    for i, term in enumerate(op.terms):
        part = _scaled(f, _sums(f, term), f"{term.w.name}.multiplier", term.multiplier.value, op.shift)
        total = part if i == 0 else f.b.op("ADD", [total, part])
    bias = np.zeros(1) if op.bias is None else op.bias.value
    f.tensors[op.out] = _rounded(f, total, bias, "half" if op.bias is None else op.bias.name)


def emit_expand(f: FixedPoint, op: IntExpand) -> None:
    """Every channel drives its own neurons: a broadcast product."""
    channels, pop = op.w.value.shape
    x = f.b.reshape(_carried(f, op.x), (channels, 1))
    driven = f.b.op("MUL", [x, f.b.floats(op.w.name, op.w.value)], (channels, pop))
    scaled = _scaled(f, driven, f"{op.w.name}.multiplier", op.multiplier.value, op.shift)
    f.tensors[op.out] = f.b.reshape(_rounded(f, scaled, op.b.value, op.b.name), (1, channels * pop))


def emit_legendre(f: FixedPoint, op: IntLegendre) -> None:
    """[a b] [x; u] for all rows of the memory at once, then the multiplier of each neuron."""
    ab = np.concatenate([op.a.value, op.b.value[:, None]], axis=1)
    order, memory = len(ab), f.graph.sizes[op.u]
    rows = [f.b.reshape(_carried(f, op.x), (memory, order)), f.b.reshape(_carried(f, op.u), (memory, 1))]
    joined = f.b.op("CONCATENATION", rows, (memory, order + 1), axis=1)
    matrix = f.b.floats(f"{op.a.name}_{op.b.name}", ab)
    held = f.b.reshape(f.b.op("FULLY_CONNECTED", [joined, matrix, None], (memory, order)), (1, memory * order))
    scaled = _scaled(f, held, f"{op.a.name}.multiplier", op.multiplier.value, op.shift)
    f.tensors[op.out] = _rounded(f, scaled, np.zeros(1), "half")


def emit_lif(f: FixedPoint, op: IntLif) -> None:
    """Decay, drive, late reset, saturation, comparison."""
    b, drive = f.b, f.tensors[op.drive]
    if op.alpha is not None:
        held = b.op("ADD", [_decayed(f, op.current, op.alpha.name, op.alpha.value), drive])
        current = _saturated(f, _shifted(f, held), op.current_out)
        f.tensors[op.current_out] = f.cast(current, *f.stored(op.current_out))
        drive = b.op("MUL", [current, b.floats("drive_unit", [[1 << DRIVE_BITS]])])
    threshold = b.floats(op.threshold.name, op.threshold.value[None])
    held = b.op("ADD", [_decayed(f, op.potential, op.beta.name, op.beta.value), drive])
    reset = b.op("MUL", [f.cast(_above(f, _carried(f, op.potential), threshold), FLOAT32), threshold])
    new = _saturated(f, b.op("SUB", [_shifted(f, held), reset]), op.potential_out)
    f.tensors[op.potential_out] = f.cast(new, *f.stored(op.potential_out))
    f.tensors[op.out] = f.cast(_above(f, new, threshold), INT16, SPIKE)


def emit_accumulate(f: FixedPoint, op: IntAccumulate) -> None:
    """The score in int32."""
    added = f.cast(f.tensors[op.x], INT32)
    f.tensors[op.out] = f.b.op("ADD", [f.tensors[op.total], added])


def _sums(f: FixedPoint, term: IntTerm) -> str:
    """The integers w x as float32: int8 weights on spikes through int16, which holds them; else through float32."""
    w = term.w.value
    worst = int(np.abs(w.astype(np.int64)).sum(axis=1).max())
    if f.b.dtype(f.tensors[term.x]) in (INT8, INT16) and f.scale(term.x) == 1.0 and worst <= LARGEST16:
        sums = f.product(f.wide(term.x), term.w.name, w.astype(np.int8), np.ones(1), None, 1.0)
        return f.cast(sums, FLOAT32)
    stored = f.b.const(term.w.name, w.astype(np.int8), TensorQuant((1.0,)))
    matrix = f.b.op("DEQUANTIZE", [stored], dtype=FLOAT32)
    return f.b.op("FULLY_CONNECTED", [_carried(f, term.x), matrix, None], (1, len(w)))


def _carried(f: FixedPoint, name: str) -> str:
    """The integers of the graph's tensor `name` as float32."""
    return f.cast(f.tensors[name], FLOAT32)


def _scaled(f: FixedPoint, x: str, name: str, multiplier: NDArray[np.generic], shift: int) -> str:
    """X times multiplier / 2^shift, [1] or one for each column."""
    return f.b.op("MUL", [x, f.b.floats(name, multiplier.astype(np.float64)[None] / 2.0**shift)])


def _rounded(f: FixedPoint, x: str, bias: ArrayLike, name: str) -> str:
    """The integer next to x, halves upwards, + the integers of bias."""
    shifted = np.asarray(bias, np.float64) + 0.5
    return f.b.op("FLOOR", [f.b.op("ADD", [x, f.b.floats(name, shifted if shifted.ndim == 2 else shifted[None])])])


def _decayed(f: FixedPoint, name: str, decay: str, value: NDArray[np.generic]) -> str:
    """(decay x) >> 7, in units of the drive."""
    factor = f.b.floats(decay, value.astype(np.float64)[None] / (1 << DECAY_SHIFT))
    return f.b.op("FLOOR", [f.b.op("MUL", [_carried(f, name), factor])])


def _shifted(f: FixedPoint, x: str) -> str:
    """round(x, 8): from units of the drive to those of the potential."""
    unit = f.b.floats("drive_in_units", [[2.0**-DRIVE_BITS]])
    return _rounded(f, f.b.op("MUL", [x, unit]), np.zeros(1), "half")


def _saturated(f: FixedPoint, x: str, name: str) -> str:
    """The range of the graph's tensor `name`."""
    largest = 127 if f.narrow(name) else LARGEST16
    lower = f.b.op("MAXIMUM", [x, f.b.floats(f"least_{largest}", [[-largest - 1]])])
    return f.b.op("MINIMUM", [lower, f.b.floats(f"most_{largest}", [[largest]])])


def _above(f: FixedPoint, x: str, threshold: str) -> str:
    return f.b.op("GREATER", [x, threshold], dtype=BOOL)
