"""Bytes from a board to frames, sans-IO: finds the frames whatever lies between them, and accounts for what is lost.

No wrong value gets through: a frame counts only when COBS, length, CRC-32, version, kind, layout and every range agree.
Frames and counts depend on the bytes alone, not on how they were cut.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from edgehar.wire.frame_cutter import FrameCutter
from edgehar.wire.frames import Cause, CsiFrames, Loss
from edgehar.wire.layouts import layout_numbered
from edgehar.wire.losses import LossAccount
from edgehar.wire.messages import (
    BoardFlag,
    BoardModel,
    CsiFlag,
    Decision,
    Heartbeat,
    Hello,
    ImuHello,
    ImuSamples,
    LogLine,
    Reply,
)
from edgehar.wire.parse import Message, parse_head, parse_message
from edgehar.wire.runs import Run, value_type
from edgehar.wire.schema import schema

KEPT_MESSAGES = 1000
_CSI = schema().kinds["csi"]
_AT = {field.name: i for i, field in enumerate(_CSI.fields)}
_BOOT, _RX_SEQ, _TX_SEQ, _SENDER, _LAYOUT, _FLAGS = (
    _AT[name] for name in ("boot", "rx_seq", "tx_seq", "mac_hash", "layout", "flags")
)


class FrameDecoder:
    """A `WireDecoder` for what firmware/ sends; see docs/wire.md.

    Beside frames: `hello` and `heartbeat` are the newest; `log` holds lines of text, the firmware's own and whatever
    stood between frames; `replies`, `decisions` and `imu` hold the newest messages until they are taken out. `model` is
    set where the board decides by itself. `tag` is set where it is no CSI board that speaks, but an inertial sensor:
    `ImuFrameDecoder` reads those. `boots` counts restarts. `losses` says where frames went missing.
    """

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self.heartbeat: Heartbeat | None = None
        self.replies: deque[Reply] = deque(maxlen=KEPT_MESSAGES)
        self.decisions: deque[Decision] = deque(maxlen=KEPT_MESSAGES)
        self.imu: deque[ImuSamples] = deque(maxlen=KEPT_MESSAGES)
        self.model: BoardModel | None = None
        self.tag: ImuHello | None = None
        self.boots = 0
        self._boot: int | None = None  # the board's own number of this start
        self._rx_seq: int | None = None  # of the last frame of this boot, unwrapped
        self._account = LossAccount()
        self._cutter = FrameCutter(self._message, self._account.damage)
        self.counts = self._cutter.counts
        self._runs: list[Run] = []

    @property
    def log(self) -> deque[str]:
        """The newest lines of text."""
        return self._cutter.text.lines

    @property
    def losses(self) -> Counter[Loss]:
        """Frames that never arrived, by where they went missing; settled at each hello and heartbeat."""
        return self._account.losses

    @property
    def pending(self) -> int:
        """Frames missing since then: the next hello or heartbeat tells where they went."""
        return self._account.pending

    @property
    def unnumbered(self) -> int:
        """Frames from senders that number nothing: how many of theirs were lost on the air cannot be known."""
        return self._account.unnumbered

    @property
    def simulated(self) -> bool:
        """Whether the board has said that no radio is behind it."""
        newest = self.heartbeat or self.hello
        return newest is not None and BoardFlag.SIMULATED in newest.flags

    def push(self, data: bytes | bytearray | memoryview) -> list[CsiFrames]:
        """Frames that `data` completes: one item a run of equal layout and boot, in order."""
        self._cutter.push(data)
        return self._take()

    def finish(self) -> list[CsiFrames]:
        """The stream is over; its last frame may lack the delimiter."""
        self._cutter.finish()
        self._account.finish()
        return self._take()

    def _message(self, number: int, payload: bytes) -> Cause | None:
        """Take a whole message; why not, otherwise."""
        found = parse_head(number, payload)
        if isinstance(found, Cause):
            return found
        kind, head = found
        if kind is _CSI:
            return self._csi(head, payload)
        message = parse_message(kind, head, payload[kind.head_bytes :])
        if isinstance(message, Cause):
            return message
        self._hear(head[0], message)
        return None

    def _csi(self, head: tuple[Any, ...], payload: bytes) -> Cause | None:
        layout = layout_numbered(head[_LAYOUT])
        if layout is None:
            return Cause.LAYOUT
        value = value_type(layout)
        if len(payload) - _CSI.head_bytes != layout.values * value.itemsize:
            return Cause.LENGTH
        if 8 < layout.bits < 16:
            values, limit = np.frombuffer(payload, value, offset=_CSI.head_bytes), 1 << (layout.bits - 1)
            if values.min() < -limit or values.max() >= limit:
                return Cause.VALUE
        self._on_boot(head[_BOOT])
        numbered = head[_FLAGS] & CsiFlag.NUMBERED
        rx_seq, tx_seq, sender = head[_RX_SEQ], head[_TX_SEQ] if numbered else None, head[_SENDER]
        if not self._account.frame(rx_seq, tx_seq, sender):
            self._restart()
            self._account.frame(rx_seq, tx_seq, sender)
        self._rx_seq = rx_seq if self._rx_seq is None else self._rx_seq + (rx_seq - self._rx_seq) % 2**32
        if not self._runs or self._runs[-1].layout is not layout or self._runs[-1].boot != self.boots:
            self._runs.append(Run(layout, self.boots))
        self._runs[-1].push(payload, self._rx_seq)
        self.counts["frames"] += 1
        return None

    def _hear(self, boot: int, message: Message) -> None:
        """Any message but a CSI frame."""
        self._on_boot(boot)
        if isinstance(message, Hello | Heartbeat):
            mark = (message.counters.next_seq, message.counters.dropped_ring)
            if not self._account.mark(*mark):
                self._restart()
                self._account.mark(*mark)
        if isinstance(message, Hello):
            self.hello = message
        elif isinstance(message, Heartbeat):
            self.heartbeat = message
        elif isinstance(message, Reply):
            self.replies.append(message)
        elif isinstance(message, Decision):
            self.decisions.append(message)
        elif isinstance(message, BoardModel):
            self.model = message
        elif isinstance(message, ImuSamples):
            self.imu.append(message)
        elif isinstance(message, ImuHello):
            self.tag = message
        elif isinstance(message, LogLine):
            self.log.append(message.text)

    def _on_boot(self, boot: int) -> None:
        if self._boot is not None and boot != self._boot:
            self._restart()
        self._boot = boot

    def _restart(self) -> None:
        """The board started anew."""
        self.boots += 1
        self._rx_seq = None
        self._account.restart()

    def _take(self) -> list[CsiFrames]:
        runs, self._runs = self._runs, []
        return [run.frames() for run in runs]
