"""The least delay of a link: what stays between a sample and its arrival when nothing has to wait.

A clock fit sees arrivals only, so that all of its times are late by this. Two devices share a time line as well as the
least delays of their links are known; a range that is known instead is the bound of what their alignment may be off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgehar.errors import Reason, UsageError

BITS_PER_BYTE = 10  # start, eight, stop
NS_PER_S, NS_PER_MS = 1e9, 1e6
UNIT_NS = {"us": 1e3, "ms": 1e6, "s": 1e9}
WRITTEN = re.compile(r"(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?(us|ms|s)")
RECORDED = "least_delay."  # and the stream's name: key of a recording's metadata
BLE_PACKET_US = 2_120  # the longest data packet on the 1M PHY: 265 bytes of 8 us
BLE_UNTOLD_MS = 50.0  # what BlueZ asks for at most where nobody asks for something else


@dataclass(frozen=True, slots=True)
class LeastDelay:
    """From `low_ns` to `high_ns`, None where nothing bounds it; `known_from` says why in a few words."""

    low_ns: int = 0
    high_ns: int | None = None
    known_from: str = "unknown"

    @property
    def taken_ns(self) -> int:
        """What is taken off the times: the middle of the range; its lower end where there is no other."""
        return self.low_ns if self.high_ns is None else (self.low_ns + self.high_ns) // 2

    @property
    def bound_ns(self) -> int | None:
        """How far `taken_ns` may be from the truth; None: any distance."""
        return None if self.high_ns is None else (self.high_ns - self.low_ns + 1) // 2

    def to_text(self) -> str:
        """For a recording's metadata; `from_text` reads it back."""
        return f"{self.low_ns} {'-' if self.high_ns is None else self.high_ns} {self.known_from}"

    @classmethod
    def from_text(cls, text: str) -> LeastDelay:
        """What `to_text` wrote; unknown where it is something else."""
        match = re.fullmatch(r"(\d{1,15}) (\d{1,15}|-) (.+)", text)
        return cls() if match is None else cls(int(match[1]), None if match[2] == "-" else int(match[2]), match[3])

    def describe(self) -> str:
        """`12 ms (given)`, `0 to 50 ms (...)`, `unknown`."""
        if self.high_ns is None:
            return (
                self.known_from if self.low_ns == 0 else f"{self.low_ns / NS_PER_MS:g} ms or more ({self.known_from})"
            )
        span = "" if self.low_ns == self.high_ns else f"{self.low_ns / NS_PER_MS:g} to "
        return f"{span}{self.high_ns / NS_PER_MS:g} ms ({self.known_from})"


UNKNOWN = LeastDelay()


def serial_delay(message_bytes: int, baud: int) -> LeastDelay:
    """A message on a serial line is whole when its last bit has passed: bytes x 10 / baud."""
    ns = round(message_bytes * BITS_PER_BYTE * NS_PER_S / baud)
    return LeastDelay(ns, ns, f"{message_bytes} bytes at {baud} baud")


def ble_delay(interval_ms: float | None = None) -> LeastDelay:
    """A notification waits for the next connection event, then is on the air for a packet.

    Where the sensor's packets keep their distance from the connection's events, as two clocks of nearly one rate do
    for minutes, even the least wait may be anything up to the interval.
    """
    told = BLE_UNTOLD_MS if interval_ms is None else interval_ms
    known_from = f"{told:g} ms connection interval" if interval_ms else f"connection interval of {told:g} ms at most"
    packet_ns = BLE_PACKET_US * 1000
    return LeastDelay(0, round(told * NS_PER_MS) + packet_ns, known_from)


def parse_duration_ns(text: str) -> int:
    """`300ms` of the command line; units us, ms and s."""
    match = WRITTEN.fullmatch(text)
    if match is None or match[2]:
        raise UsageError(f"duration '{text}'", reason=Reason.FORMAT, hint="write a number and us, ms or s: 300ms")
    return round(float(match[1]) * UNIT_NS[match[3]])


def parse_delay(text: str) -> tuple[str, LeastDelay]:
    """`NAME=12ms` or `NAME=7.5..50ms` of the command line; units us, ms and s.

    >>> parse_delay("wrist=0..50ms")
    ('wrist', LeastDelay(low_ns=0, high_ns=50000000, known_from='given'))
    """
    name, equals, value = text.partition("=")
    match = WRITTEN.fullmatch(value)
    if not name or not equals or match is None:
        raise UsageError(
            f"least delay '{text}'", reason=Reason.FORMAT, hint="write NAME=12ms, or NAME=7.5..50ms for a range"
        )
    low, high, unit = float(match[1]), float(match[2] or match[1]), UNIT_NS[match[3]]
    if high < low:
        raise UsageError(
            f"least delay '{text}': {high:g} is below {low:g}", reason=Reason.VALUE, hint="the smaller number first"
        )
    return name, LeastDelay(round(low * unit), round(high * unit), "given")


def least_delay(source: object) -> LeastDelay:
    """What a source knows of its link's least delay, by its attribute of this name; most know nothing."""
    told = getattr(source, "least_delay", None)
    return told if isinstance(told, LeastDelay) else UNKNOWN


def recorded_delays(bases: Mapping[str, LeastDelay]) -> dict[str, str]:
    """A recording's metadata that says the least delays of its streams' links, where something is known."""
    return {f"{RECORDED}{name}": base.to_text() for name, base in bases.items() if base != UNKNOWN}
