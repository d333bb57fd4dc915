"""Bytes from a board to frames, sans-IO: finds the frames whatever lies between them, and accounts for what is lost.

No wrong value gets through: a frame counts only when COBS, length, CRC-32, version, kind, layout and every range agree.
Frames and counts depend on the bytes alone, not on how they were cut.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import numpy as np

from edgehar.wire.envelope import MAX_CODED_BYTES, unwrap
from edgehar.wire.frames import Cause, CsiFrames, Loss
from edgehar.wire.layouts import layout_numbered
from edgehar.wire.logtext import LogLines, is_text
from edgehar.wire.losses import LossAccount
from edgehar.wire.messages import BoardFlag, CsiFlag, Decision, Heartbeat, Hello, ImuSamples, Reply
from edgehar.wire.parse import PARSERS, Message
from edgehar.wire.runs import Run, value_type
from edgehar.wire.schema import schema

KEPT_MESSAGES = 1000
_CSI = schema().kinds["csi"]
_KINDS = {kind.id: kind for kind in schema().kinds.values()}
_AT = {field.name: i for i, field in enumerate(_CSI.fields)}
_BOOT, _RX_SEQ, _TX_SEQ, _SENDER, _LAYOUT, _FLAGS = (
    _AT[name] for name in ("boot", "rx_seq", "tx_seq", "mac_hash", "layout", "flags")
)


class FrameDecoder:
    """A `WireDecoder` for what firmware/ sends; see docs/wire.md.

    Beside frames: `hello` and `heartbeat` are the newest; `log` holds lines of text, the firmware's own and whatever
    stood between frames; `replies`, `decisions` and `imu` hold the newest messages until they are taken out. `boots`
    counts restarts. `losses` says where frames went missing.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.hello: Hello | None = None
        self.heartbeat: Heartbeat | None = None
        self.replies: deque[Reply] = deque(maxlen=KEPT_MESSAGES)
        self.decisions: deque[Decision] = deque(maxlen=KEPT_MESSAGES)
        self.imu: deque[ImuSamples] = deque(maxlen=KEPT_MESSAGES)
        self.boots = 0
        self._boot: int | None = None  # the board's own number of this start
        self._rx_seq: int | None = None  # of the last frame of this boot, unwrapped
        self._account = LossAccount()
        self._text = LogLines()
        self._runs: list[Run] = []
        self._rest = b""
        self._whole = False  # whether the piece at hand began with a delimiter: the first may be a frame's second half
        self._overlong: Cause | None = None  # what the piece at hand is, once it is longer than any frame

    @property
    def log(self) -> deque[str]:
        """The newest lines of text."""
        return self._text.lines

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
        *pieces, self._rest = (self._rest + bytes(data)).split(b"\0")
        for piece in pieces:
            self._piece(piece)
            self._text.end()
            self._whole, self._overlong = True, None
        if self._overlong is not None or len(self._rest) > MAX_CODED_BYTES:
            self._without_end(self._rest)
            self._rest = b""
        return self._take()

    def finish(self) -> list[CsiFrames]:
        """The stream is over; its last frame may lack the delimiter."""
        self._whole = False
        self._piece(self._rest)
        self._text.end()
        self._rest = b""
        self._account.finish()
        return self._take()

    def _piece(self, piece: bytes) -> None:
        """What stood between two zeros."""
        if self._overlong is not None or len(piece) > MAX_CODED_BYTES:
            self._without_end(piece)
        elif piece:
            found = unwrap(piece)
            cause = found if isinstance(found, Cause) else self._message(*found)
            if cause is None:
                return
            if is_text(piece):
                self._log(piece)
                return
            cut = isinstance(found, Cause) and not self._whole
            self.counts[Cause.TRUNCATED if cut else cause] += 1
            self._account.damage()

    def _without_end(self, piece: bytes) -> None:
        """All that has come of a piece that is longer than any frame; what it is, its beginning decides."""
        if self._overlong is None:
            self._overlong = Cause.LOG if is_text(piece[: MAX_CODED_BYTES + 1]) else Cause.OVERLONG
            if self._overlong is Cause.OVERLONG:
                self.counts[Cause.OVERLONG] += 1
                self._account.damage()
        if self._overlong is Cause.LOG:
            self._log(piece)

    def _log(self, text: bytes) -> None:
        if text:
            self.counts[Cause.LOG] += len(text)
            self._text.push(text)

    def _message(self, number: int, payload: bytes) -> Cause | None:
        """Take a whole message; why not, otherwise."""
        kind = _KINDS.get(number)
        if kind is None:
            return Cause.KIND
        if len(payload) < kind.head_bytes or (kind.tail is None and len(payload) > kind.head_bytes):
            return Cause.LENGTH
        head = kind.struct.unpack_from(payload)
        if any(not low <= head[at] <= high for at, low, high in kind.ranges):
            return Cause.VALUE
        if kind is _CSI:
            return self._csi(head, payload)
        message = PARSERS[kind.name](head, payload[kind.head_bytes :])
        if message is None:
            return Cause.LENGTH
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
        elif isinstance(message, ImuSamples):
            self.imu.append(message)
        else:
            self._text.lines.append(message)

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
