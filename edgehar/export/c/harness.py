"""What `eh_verify_main.c` reads from input.bin and writes to output.bin. Little-endian throughout.

input    "EHW1", u32 windows, u32 window, u32 inputs, u32 traced, float32 x[windows][window][inputs]
         x is behind the preprocessing; compiled with EH_TRACE, the first `traced` windows report every tensor
output   "EHV1", then records: char tag, char kind ('i' int32, 'f' float32), u32 length, name, u32 n, n values
         tag L: raw logits of a window, without a name; T: a tensor, in the order in which it is made;
         C: a constant, its values are the number of its bytes and their FNV-1a hash (C and T: EH_TRACE only)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.types import FloatArray

MAIN = Path(__file__).with_name("eh_verify_main.c")
INPUT, OUTPUT = b"EHW1", b"EHV1"
Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Replies:
    """Raw logits [windows, classes], int32 or float32; {tensor: [rows, n]} of each traced window.

    `constants` holds the number of bytes and the hash of each.
    """

    logits: Values
    traces: tuple[Mapping[str, Values], ...]
    constants: Mapping[str, tuple[int, int]]


def encode(x: FloatArray, traced: int = 0) -> bytes:
    """input.bin for windows x [n, window, inputs]."""
    return INPUT + struct.pack("<4I", *x.shape, traced) + np.ascontiguousarray(x, "<f4").tobytes()


def decode(raw: bytes) -> Replies:
    """What a program wrote. Raises InputError where it broke off."""
    if raw[:4] != OUTPUT:
        raise _broken(0, len(raw))
    logits: list[Values] = []
    tensors: list[dict[str, list[Values]]] = []
    open_window: dict[str, list[Values]] = {}
    constants: dict[str, tuple[int, int]] = {}
    at = 4
    while at < len(raw):
        tag, name, values, at = _record(raw, at)
        if tag == b"C":
            constants[name] = int(values[0]), int(values[1]) & 0xFFFFFFFF
        elif tag == b"T":
            open_window.setdefault(name, []).append(values)
        else:
            logits.append(values)
            if open_window:
                tensors.append(open_window)
                open_window = {}
    traces = tuple({name: np.stack(rows) for name, rows in found.items()} for found in tensors)
    return Replies(np.stack(logits) if logits else np.zeros((0, 0), np.float32), traces, constants)


def fnv1a(raw: bytes) -> int:
    """The hash of a constant's bytes."""
    found = 2166136261
    for byte in raw:
        found = ((found ^ byte) * 16777619) & 0xFFFFFFFF
    return found


def _record(raw: bytes, at: int) -> tuple[bytes, str, Values, int]:
    try:
        tag, kind, length = struct.unpack_from("<ccI", raw, at)
        name = raw[at + 6 : at + 6 + length].decode()
        (n,) = struct.unpack_from("<I", raw, at + 6 + length)
        start = at + 10 + length
        values = np.frombuffer(raw, "<i4" if kind == b"i" else "<f4", n, start)
    except (struct.error, ValueError):
        raise _broken(at, len(raw)) from None
    return tag, name, values, start + 4 * n


def _broken(at: int, size: int) -> InputError:
    return InputError(
        f"output.bin: byte {at} of {size} is no record of the verification program",
        reason=Reason.TRUNCATED,
        hint="look at the program's exit code and what it printed",
    )
