"""A virtual tag on a cable: its messages as frames, at the speed of the line; serves like a virtual board."""

from __future__ import annotations

from collections import Counter

from edgehar.boards.virtual_board import BITS_A_BYTE
from edgehar.boards.virtual_tag import VirtualTag
from edgehar.wire.envelope import wrap
from edgehar.wire.schema import schema

SAMPLE_BYTES = 2
FRAME_BYTES = 12  # envelope and delimiters


class TagOnLine:
    """`read_until` and `receive` are the line's two directions; baud 0: as fast as the host reads.

    The fault drop_every_s pulls the cable for drop_s; the tag has a supply of its own.
    """

    def __init__(self, tag: VirtualTag, *, baud: int = 921_600) -> None:
        self.tag = tag
        self.truth: Counter[str] = tag.truth
        self.plugged = True
        self._baud = baud
        self._line = b""
        self._free_us = 0.0
        faults = tag.settings.faults
        self._drop_due_us = faults.drop_every_s * 1e6 or float("inf")
        self._replug_us = float("inf")

    @property
    def boot(self) -> int:
        """How often it started."""
        return self.tag.boot

    @property
    def now_us(self) -> int:
        """True time of the last `read_until`."""
        return self.tag.now_us

    def doing(self) -> str:
        """What the simulated person does just now."""
        return self.tag.doing()

    def reboot(self) -> None:
        """Press the reset button."""
        self.tag.reboot()

    def receive(self, commands: bytes) -> None:
        """Bytes from the host; a line ends with a line feed."""
        *lines, self._line = (self._line + commands).split(b"\n")
        for line in lines:
            if line.strip(b"\r\0"):
                self.tag.hear(line)
        most = 2 * schema().max_command_bytes
        self._line = self._line[:most]  # what is too long is refused by its beginning

    def read_until(self, t_us: int) -> bytes:
        """What the line has carried by true time `t_us`. While the cable is out, samples wait in the tag's queue."""
        self._cable(t_us)
        messages = self.tag.advance(t_us, room=self._room(t_us))
        if not self.plugged:
            for message in messages:
                self.tag.lose(message)
            return b""
        sent = b"".join(wrap(*message) for message in messages)
        if self._baud:
            self._free_us += len(sent) * BITS_A_BYTE * 1e6 / self._baud
        return sent

    def _cable(self, t_us: int) -> None:
        faults = self.tag.settings.faults
        if t_us >= self._drop_due_us:
            self._drop_due_us += faults.drop_every_s * 1e6
            self.plugged, self._replug_us = False, t_us + faults.drop_s * 1e6
        if t_us >= self._replug_us:
            self.plugged, self._replug_us = True, float("inf")

    def _room(self, t_us: int) -> int | None:
        """Messages of samples that the line has time for."""
        if not self.plugged:
            return 0
        if not self._baud:
            return None
        self._free_us = max(self._free_us, self.tag.now_us)
        if self._free_us > t_us:
            return 0
        longest = schema().kinds["imu"].head_bytes + FRAME_BYTES
        longest += self.tag.most_samples * self.tag.motion.channels * SAMPLE_BYTES
        return 1 + int((t_us - self._free_us) * self._baud / (BITS_A_BYTE * 1e6) / longest)
