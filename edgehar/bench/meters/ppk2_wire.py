"""Bytes of a Nordic Power Profiler Kit II: commands out, calibration and samples in. Sans-IO.

From what Nordic publishes: the user guide, and the source of nRF Connect's Power Profiler application, which is the
only description of the protocol. **Not checked against a device.**

A command is one byte and its arguments; only metadata and samples come back. Metadata is ASCII, one `NAME: value` a
line, ended by `END`. A sample is 4 bytes, little-endian, every 10 us:

    bits 0..13 ADC value   14..16 range   18..23 counter, modulo 64   24..31 the logic pins D0..D7

With the ADC value times 4, k = 1.8 / 163840, and the calibration of the sample's range:

    r = (4 adc - O) k / R        I = UG (r (GS r + GI) + S Vdd + I0)        in ampere, Vdd in volt

The application's smoothing of the first samples after a change of range is not done: it hides peaks, which are energy.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason

AVERAGE_START, AVERAGE_STOP, DEVICE_RUNNING = 0x06, 0x07, 0x0C
REGULATOR_SET, SET_POWER_MODE, GET_METADATA = 0x0D, 0x11, 0x19
AMPERE_METER, SOURCE_METER = 1, 2
SAMPLE_NS = 10_000
RANGES = 5
COUNTS = 64
ADC_VOLTS = 1.8 / 163_840
UPSET = 0.5
"""More counter jumps than this share of a block: the bytes are out of step, or are no samples."""

FIELD = re.compile(r"(R|GS|GI|O|S|I|UG)([0-4]):\s*(\S+)")
FALLBACK = {"R": (1031.64, 101.65, 10.15, 0.94, 0.043), "GS": (1.0,) * 5, "GI": (1.0,) * 5, "UG": (1.0,) * 5}
"""What the application assumes where a kit tells no number; O, S and I are 0."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Coefficients by range, each [5] float64."""

    R: NDArray[np.float64]
    GS: NDArray[np.float64]
    GI: NDArray[np.float64]
    O: NDArray[np.float64]
    S: NDArray[np.float64]
    I: NDArray[np.float64]
    UG: NDArray[np.float64]

    def current_a(self, adc: NDArray[np.int64], span: NDArray[np.int64], vdd_v: float) -> NDArray[np.float64]:
        """Current of ADC values [n] taken in ranges `span` [n]."""
        r = (4.0 * adc - self.O[span]) * (ADC_VOLTS / self.R[span])
        offset = self.S[span] * vdd_v + self.I[span]
        current: NDArray[np.float64] = self.UG[span] * (r * (self.GS[span] * r + self.GI[span]) + offset)
        return current


@dataclass(frozen=True, slots=True)
class Samples:
    """Decoded samples: place [n], the sample's number since the start, lost ones counted; current in ampere; pins."""

    place: NDArray[np.int64]
    current_a: NDArray[np.float64]
    pins: NDArray[np.uint8]


def set_voltage(millivolts: int) -> bytes:
    """Source meter: its output; ampere meter: what the calibration corrects for. High byte first."""
    return bytes((REGULATOR_SET, millivolts >> 8, millivolts & 0xFF))


def parse_metadata(text: str) -> Calibration:
    """Calibration from everything up to `END`; numbers that a kit does not know (`-nan`) fall back as in FALLBACK.

    Raises InputError where no coefficient is found, or a resistance is not above 0.
    """
    found: dict[str, list[float]] = {
        name: list(FALLBACK.get(name, (0.0,) * RANGES)) for name in Calibration.__dataclass_fields__
    }
    matches = FIELD.findall(text)
    for name, digit, typed in matches:
        value = _number(typed, name + digit)
        if math.isfinite(value):
            found[name][int(digit)] = value
    if not matches or min(found["R"]) <= 0:
        raise InputError(
            f"ppk2: the kit's metadata has no calibration: {text[:80]!r}",
            reason=Reason.FORMAT,
            hint="unplug it and plug it in again; see its state in nRF Connect's Power Profiler",
        )
    return Calibration(**{name: np.array(values) for name, values in found.items()})


def _number(typed: str, name: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise InputError(
            f"ppk2: metadata {name} is '{typed}'",
            reason=Reason.FORMAT,
            hint="unplug the kit and plug it in again: its metadata is damaged",
        ) from None


class Ppk2Decoder:
    """Samples from bytes in pieces of any size. `lost` counts what the counter shows missing, up to 63 in a row."""

    def __init__(self, calibration: Calibration, vdd_v: float) -> None:
        self._calibration = calibration
        self._vdd_v = vdd_v
        self._rest = b""
        self._next_place = 0
        self._next_count: int | None = None
        self.lost = 0

    def push(self, data: bytes) -> Samples:
        """Whole samples in `data`, and in what was left over. Raises InputError where they are no samples at all."""
        data = self._rest + data
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        words = np.frombuffer(data[:whole], "<u4").astype(np.int64)
        if not len(words):
            return Samples(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
        span, counts = (words >> 14) & 7, (words >> 18) & (COUNTS - 1)
        place = self._places(counts)
        known = span < RANGES
        if not known.all():
            self.lost += int((~known).sum())
            words, span, place = words[known], span[known], place[known]
        current = self._calibration.current_a(words & 0x3FFF, span, self._vdd_v)
        return Samples(place, current, (words >> 24).astype(np.uint8))

    def _places(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        first = int(counts[0]) if self._next_count is None else self._next_count
        skipped = np.diff(counts, prepend=first - 1) - 1
        skipped %= COUNTS
        jumps = int((skipped != 0).sum())
        if len(counts) > COUNTS and jumps > UPSET * len(counts):
            raise InputError(
                f"ppk2: {jumps} of {len(counts)} sample counters do not follow each other",
                reason=Reason.DAMAGED,
                hint="another program reads the same port: close nRF Connect, then plug the kit in again",
            )
        self.lost += int(skipped.sum())
        place: NDArray[np.int64] = self._next_place + np.arange(len(counts)) + np.cumsum(skipped)
        self._next_place = int(place[-1]) + 1
        self._next_count = (int(counts[-1]) + 1) % COUNTS
        return place
