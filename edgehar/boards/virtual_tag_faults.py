"""What goes wrong between a tag and its host, made on purpose and counted, to judge a host's own count by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgehar.boards.fault_settings import parse_settings


@dataclass(frozen=True, slots=True)
class TagFaults:
    """All off by default.

    loss: probability that a message of samples or a heartbeat vanishes after the tag has counted it as sent. jitter_ms:
    mean of the exponential delay by which messages come late, in order. drift_ppm: of the tag's clock, which the sensor
    shares. overrun_every_s, overrun: the sensor's FIFO runs over so often, and so many samples are gone. stall_every_s,
    stall_s: the link takes nothing, so often and so long. reboot_every_s: a restart so often. drop_every_s, drop_s: the
    Bluetooth link is dropped so long after it came up, and the tag is not to be found for so long. wire_version: the
    version that packets claim; 0: the right one.
    """

    loss: float = 0.0
    jitter_ms: float = 0.0
    drift_ppm: float = 0.0
    overrun_every_s: float = 0.0
    overrun: int = 20
    stall_every_s: float = 0.0
    stall_s: float = 1.0
    reboot_every_s: float = 0.0
    drop_every_s: float = 0.0
    drop_s: float = 0.0
    wire_version: int = 0


_RANGES = {
    "loss": (0.0, 1.0),
    "drift_ppm": (-10_000.0, 10_000.0),
    "overrun": (1.0, 100_000.0),
    "wire_version": (0.0, 255.0),
}


def parse_tag_faults(settings: Iterable[str]) -> TagFaults:
    """`["loss=0.1", "drop_every_s=30"]` as faults; UsageError names what it may be.

    >>> parse_tag_faults(["loss=0.1", "overrun=5"]).overrun
    5
    """
    return parse_settings(settings, TagFaults, _RANGES)
