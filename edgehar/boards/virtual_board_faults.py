"""What goes wrong between a board and its host, made on purpose and counted, to judge a host's own count by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgehar.boards.fault_settings import parse_settings


@dataclass(frozen=True, slots=True)
class BoardFaults:
    """All off by default.

    bit_errors: probability that a bit on the line is flipped. loss: that a frame is lost on the air. link_loss: that a
    message of the board vanishes whole. jitter_ms: mean of the exponential delay by which bytes come late. drift_ppm:
    of the board's clock. log_every_s: plain text between frames so often. reboot_every_s: a restart so often.
    unplug_every_s, unplug_s: the cable is out, so often and so long; the board has a supply of its own. dead: so many
    subcarriers stay silent. csi_off: the firmware was built without CSI. no_traffic: nobody sends. silent: the board
    says nothing at all.
    """

    bit_errors: float = 0.0
    loss: float = 0.0
    link_loss: float = 0.0
    jitter_ms: float = 0.0
    drift_ppm: float = 0.0
    log_every_s: float = 0.0
    reboot_every_s: float = 0.0
    unplug_every_s: float = 0.0
    unplug_s: float = 2.0
    dead: int = 0
    csi_off: bool = False
    no_traffic: bool = False
    silent: bool = False


_RANGES = {
    "bit_errors": (0.0, 0.5),
    "loss": (0.0, 1.0),
    "link_loss": (0.0, 1.0),
    "drift_ppm": (-10_000.0, 10_000.0),
    "dead": (0.0, 50.0),
}


def parse_faults(settings: Iterable[str]) -> BoardFaults:
    """`["bit_errors=1e-4", "csi_off"]` as faults; UsageError names what it may be.

    >>> parse_faults(["loss=0.1", "csi_off"]).loss
    0.1
    """
    return parse_settings(settings, BoardFaults, _RANGES)


class FaultyLine:
    """Applies bit errors and losses to whole messages, reproducibly."""

    def __init__(self, faults: BoardFaults, rng: np.random.Generator) -> None:
        self._faults = faults
        self._rng = rng

    def lost_on_air(self) -> bool:
        """Whether the next frame never reaches the board."""
        return self._chance(self._faults.loss)

    def spoil(self, message: bytes) -> bytes | None:
        """The message as it comes out at the other end; None where it vanishes."""
        if self._chance(self._faults.link_loss):
            return None
        if not self._faults.bit_errors:
            return message
        flips = int(self._rng.binomial(8 * len(message), self._faults.bit_errors))
        if not flips:
            return message
        spoilt = bytearray(message)
        for bit in self._rng.choice(8 * len(message), flips, replace=False).tolist():
            spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)

    def delay_us(self) -> float:
        """How much later than sent the bytes of a message arrive."""
        return float(self._rng.exponential(self._faults.jitter_ms) * 1000) if self._faults.jitter_ms else 0.0

    def _chance(self, probability: float) -> bool:
        return bool(probability) and bool(self._rng.random() < probability)
