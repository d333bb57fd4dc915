"""Polar Measurement Data: the bytes of its control point and of its acceleration frames.

Polar Measurement Data Specification for 3rd Party (technical_documentation of github.com/polarofficial/polar-ble-sdk,
now online_measurement.pdf there): "PMD measurement settings", "Frame types ACC", "Delta frame sample example".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

ACCELERATION = 2  # measurement type
GET_SETTINGS, START, STOP = 1, 2, 3
ANSWER, FEATURES = 0xF0, 0x0F
TYPE_MASK = 0x3F
RATE, RESOLUTION, RANGE, CHANNELS, FACTOR = 0, 1, 2, 4, 5  # setting types
SETTING_BYTES: Mapping[int, int] = MappingProxyType({RATE: 2, RESOLUTION: 2, RANGE: 2, 3: 2, CHANNELS: 1, FACTOR: 4})
COMPRESSED = 0x80
HEAD_BYTES = 10  # measurement type, 64-bit time, frame type
AXES = 3
REFERENCE_BYTES = 2  # of one axis of a compressed frame's first sample
LATEST_NS = 1 << 63
MILLI = 1e-3

ERRORS: Mapping[int, str] = MappingProxyType(
    {
        1: "invalid op code",
        2: "invalid measurement type",
        3: "not supported",
        4: "invalid length",
        5: "invalid parameter",
        6: "already in state",
        7: "invalid resolution",
        8: "invalid sample rate",
        9: "invalid range",
        10: "invalid MTU",
        11: "invalid number of channels",
        12: "invalid state",
        13: "device in charger",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the control point answered: to what, with which error (0: none), and the settings that it told."""

    command: int
    measurement: int
    error: int
    settings: Mapping[int, tuple[int, ...]]

    @property
    def factor(self) -> float:
        """What a compressed sample's integers are multiplied by; 1 where none was told."""
        raw = self.settings.get(FACTOR, (0,))[0]
        factor = float(np.array([raw], "<u4").view("<f4")[0])
        return factor if np.isfinite(factor) and factor > 0 else 1.0


def read_answer(value: bytes) -> Answer | None:
    """None where it is no answer."""
    if len(value) < 4 or value[0] != ANSWER:
        return None
    return Answer(value[1], value[2], value[3], MappingProxyType(dict(_settings(value[5:]))))


def _settings(rest: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(setting type, values) up to the first that is not whole or not known."""
    at = 0
    while at + 2 <= len(rest):
        kind, count = rest[at], rest[at + 1]
        width = SETTING_BYTES.get(kind, 0)
        at += 2
        if not width or not count or at + width * count > len(rest):
            return
        yield kind, tuple(int.from_bytes(rest[at + width * i : at + width * (i + 1)], "little") for i in range(count))
        at += width * count


def start_command(measurement: int, settings: Mapping[int, int]) -> bytes:
    """One value of each setting; a factor is told, never asked for."""
    asked = {kind: value for kind, value in settings.items() if kind != FACTOR}
    parts = (bytes([kind, 1]) + value.to_bytes(SETTING_BYTES[kind], "little") for kind, value in asked.items())
    return bytes([START, measurement]) + b"".join(parts)


@dataclass(frozen=True, slots=True)
class AccelerationFrame:
    """t_ns: of the last sample, in nanoseconds since 2000, by the device. x [n, 3] float64 in g."""

    t_ns: int
    x: NDArray[np.float64]


def read_frame(value: bytes, factor: float) -> AccelerationFrame | None:
    """None where it is no acceleration frame, not whole, or of a frame type that is reserved.

    Samples are mg. A compressed frame of type 0 holds multiples of `factor` g instead, one of type 1 multiples of
    `factor` mg.
    """
    if len(value) <= HEAD_BYTES or value[0] & TYPE_MASK != ACCELERATION:
        return None
    t_ns, kind, body = int.from_bytes(value[1:9], "little"), value[9], value[HEAD_BYTES:]
    if t_ns >= LATEST_NS:
        return None
    if kind & COMPRESSED:
        units = {0: factor, 1: factor * MILLI}
        samples = read_deltas(body)
    else:
        units = {0: MILLI, 1: MILLI, 2: MILLI}
        samples = _read_plain(body, 1 + (kind & ~COMPRESSED))
    unit = units.get(kind & ~COMPRESSED)
    return None if unit is None or samples is None else AccelerationFrame(t_ns, samples * np.float64(unit))


def _read_plain(body: bytes, width: int) -> NDArray[np.int64] | None:
    """[n, 3] of signed integers of `width` bytes; None where the last sample is not whole."""
    if len(body) % (width * AXES):
        return None
    values = [int.from_bytes(body[i : i + width], "little", signed=True) for i in range(0, len(body), width)]
    return np.array(values, np.int64).reshape(-1, AXES)


def read_deltas(body: bytes) -> NDArray[np.int64] | None:
    """[n, 3] of a compressed frame: a first sample of int16, then blocks of differences to the sample before.

    Each block: bits of a difference, samples, then the differences packed from the lowest bit of the first byte on,
    filled up to a whole byte at the block's end. None where a block is not whole.
    """
    at = AXES * REFERENCE_BYTES
    if len(body) < at:
        return None
    parts = [np.frombuffer(body, "<i2", AXES).astype(np.int64)[None]]
    while at < len(body):
        if at + 2 > len(body):
            return None
        bits, count = body[at], body[at + 1]
        at += 2
        size = -(-bits * AXES * count // 8)
        if not 0 < bits <= 32 or not count or at + size > len(body):
            return None
        parts.append(_unpack(body[at : at + size], bits, count * AXES).reshape(-1, AXES))
        at += size
    return np.cumsum(np.concatenate(parts), axis=0)


def _unpack(packed: bytes, bits: int, count: int) -> NDArray[np.int64]:
    """[count] signed integers of `bits` bits each, the lowest bit first."""
    flat = np.unpackbits(np.frombuffer(packed, np.uint8), count=bits * count, bitorder="little").reshape(count, bits)
    weights = np.int64(1) << np.arange(bits, dtype=np.int64)
    weights[-1] = -weights[-1]  # two's complement
    return flat.astype(np.int64) @ weights
