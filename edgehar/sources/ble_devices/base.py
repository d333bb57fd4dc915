"""What a kind of Bluetooth LE motion sensor is: how to know it, how to set it going, what its bytes mean. Sans-IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from edgehar.types import Chunk, StreamSpec

ANSWER_S = 3.0  # how long a device may take to answer


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a device says before anybody connects. `services`: 128-bit UUIDs in lower case."""

    address: str
    name: str = ""
    services: frozenset[str] = frozenset()
    manufacturer: Mapping[int, bytes] = field(default_factory=lambda: MappingProxyType({}))
    rssi_dbm: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; its value goes to `take`."""

    uuid: str
    optional: bool = False  # older firmware does not have it


@dataclass(frozen=True, slots=True)
class Write:
    """Write a characteristic. `response`: wait until the device has confirmed.

    `answer`: the characteristic, subscribed to before, whose next value is the device's answer; the next step is asked
    for when `take` had it, or when `ANSWER_S` have passed without one.
    """

    uuid: str
    value: bytes
    response: bool = True
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Ask for notifications or indications of a characteristic; each value goes to `take`."""

    uuid: str


Step = Read | Write | Subscribe


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants of a device; 0 and "" leave it as it is. A device takes the nearest that it has."""

    rate_hz: float = 0.0
    accel_range_g: int = 0
    gyro_range_dps: int = 0
    session_id: str = ""
    placement: str = ""


class BleDevice(Protocol):
    """One device of one kind, for one stream. Its steps are taken in order after every connection.

    `counts`: samples, and what did not become one by cause. Raises InputError naming characteristic, length and what
    was expected only where nothing further can be made of the device (wrong firmware version); a single value that is
    not what the layout says is counted and a marked gap.
    """

    title: str

    @property
    def counts(self) -> Counter[str]:
        """Samples, and what did not become one by cause."""

    @property
    def spec(self) -> StreamSpec | None:
        """What the stream is; None until enough was taken to know."""

    def steps(self) -> Iterable[Step]:
        """What sets it going. Each is asked for when what the one before brought was taken: it may depend on that."""

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A value that was read or notified, and when it arrived on the host's monotonic clock."""

    def interrupt(self) -> None:
        """The connection was lost here: what follows is behind a gap, unless the device numbers its samples."""
