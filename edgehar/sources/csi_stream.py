"""From the bytes of a board to Chunks of one layout, field and sender; sans-IO, so that every transport shares it.

What the stream is, the first second decides: binary frames or printed rows, the commonest sender and layout, the rate.
Frames that do not fit are counted and are a marked gap, never guessed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgehar.clock import RESTART_NS, CounterUnwrap
from edgehar.errors import Reason, UsageError
from edgehar.types import Chunk, Flag, IntArray, StreamSpec
from edgehar.wire.canonical import csi_spec, to_chunk
from edgehar.wire.choice import AUTO, choose_field, fits
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.espcsi_rows import AGAIN
from edgehar.wire.espcsi_text import TextDecoder
from edgehar.wire.frames import UNKNOWN_SEQ, CsiFrames
from edgehar.wire.gaps import FORWARD, frames_on, least_step
from edgehar.wire.text_dialects import SIMULATED_MARK

SETTLE_NS = 1_000_000_000
SETTLE_FRAMES = 4096  # and no longer, however fast they come
FEWEST = 10  # frames, unless the stream ends before
STATUS_NS = 1_900_000_000  # a board says once a second who it is, and whether it is simulated; one may be lost
MOST_UNDECIDED = 65_536  # bytes: more than the longest row
PROTOCOLS = ("auto", "binary", "text")
OTHER_SENDER, OTHER_LAYOUT = "other_sender", "other_layout"


@dataclass(frozen=True, slots=True)
class CsiChoice:
    """What is known or wanted beforehand. protocol: one of PROTOCOLS. field: auto, lltf, htltf, stbc or heltf.

    layout: for printed rows that could be two things. rate_hz 0: as the board says, else as measured. sender: the hash
    of the one to keep, -1: the commonest. salt: hashes printed addresses alike in every session.
    """

    protocol: str = "auto"
    field: str = AUTO
    layout: str = ""
    rate_hz: float = 0.0
    sender: int = -1
    salt: str = ""
    form: str = "iq"
    session_id: str = ""


class CsiStream:
    """`push` bytes as they arrive; Chunks come out once `spec` is settled. `decoder` tells what the board said beside.

    `counts` holds frames of other senders and layouts, `restarts` how often the board's clock began anew.
    """

    def __init__(self, choice: CsiChoice | None = None) -> None:
        self.choice = choice or CsiChoice()
        if self.choice.protocol not in PROTOCOLS:
            raise UsageError(
                f"protocol={self.choice.protocol}",
                reason=Reason.UNKNOWN_NAME,
                hint=f"choose from: {', '.join(PROTOCOLS)}",
            )
        binary, text = FrameDecoder(), TextDecoder(self.choice.salt, self.choice.layout)
        known: dict[str, FrameDecoder | TextDecoder] = {"binary": binary, "text": text}
        self.decoder = known.get(self.choice.protocol)
        self._candidates = binary, text
        self.counts: Counter[str] = Counter()
        self.restarts = 0
        self.spec: StreamSpec | None = None
        self.field = ""
        self.layout = ""
        self.sender = -1
        self._waiting: list[tuple[CsiFrames, int]] = []  # until the spec is settled
        self._undecided = bytearray()  # neither a frame nor a row so far
        self._samples = _Numbering()
        self._marked = False
        self._newest = b""  # the end of the bytes before: the mark may be cut

    @property
    def frames(self) -> int:
        """Frames that were decoded, whatever became of them."""
        return 0 if self.decoder is None else self.decoder.counts["frames"]

    @property
    def totals(self) -> Counter[str]:
        """Frames decoded, and what did not become one by cause; losses by where."""
        found: Counter[str] = Counter(self.counts)
        if self.decoder is not None:
            found.update(self.decoder.counts)
            found.update({str(loss): count for loss, count in self.decoder.losses.items()})
        return found

    def outgoing(self) -> bytes:
        """A board needs to be told nothing."""
        return b""

    @property
    def simulated(self) -> bool:
        """Whether the board says that no radio is behind it."""
        return self._marked or (isinstance(self.decoder, FrameDecoder) and self.decoder.simulated)

    def push(self, data: bytes, host_ns: int) -> list[Chunk]:
        """Bytes that arrived at `host_ns` on the host's monotonic clock."""
        if self.spec is None and not isinstance(self.decoder, FrameDecoder):
            seen = self._newest + data
            self._marked |= SIMULATED_MARK in seen
            self._newest = seen[-len(SIMULATED_MARK) :]
        return self._take(self._decode(data), host_ns, ended=False)

    @property
    def binary(self) -> list[FrameDecoder]:
        """The decoder of binary frames, as long as the stream may be such; it knows hello and log lines."""
        return [decoder for decoder in self._possible() if isinstance(decoder, FrameDecoder)]

    def settle(self) -> list[Chunk]:
        """Decide now what the stream is, by the few frames that came."""
        return self._take([], 0, ended=True)

    def interrupt(self) -> None:
        """The link broke here: what follows is behind a gap, whatever its numbers say."""
        self._samples.gap = True

    def finish(self, host_ns: int) -> list[Chunk]:
        """The stream is over; one too short to settle by itself is settled by what came."""
        decoders = self._possible()
        if self.decoder is None:
            self._candidates[1].push(self._undecided)
        found = [frames for decoder in decoders for frames in decoder.finish()]
        if self.decoder is None and found:
            self.decoder = next(decoder for decoder in decoders if decoder.counts["frames"])
        return self._take(found, host_ns, ended=True)

    def _possible(self) -> tuple[FrameDecoder | TextDecoder, ...]:
        """The decoder, or both while the stream may be either."""
        return self._candidates if self.decoder is None else (self.decoder,)

    def _decode(self, data: bytes) -> list[CsiFrames]:
        if self.decoder is not None:
            return self.decoder.push(data)
        binary, text = self._candidates
        found = binary.push(data)
        if found or binary.hello is not None or binary.heartbeat is not None:
            self.decoder = binary
            return found
        # Rows are looked for once a row was seen: the text's decoder is compiled at its first use, which takes seconds.
        self._undecided += data
        if AGAIN not in self._undecided:
            del self._undecided[:-MOST_UNDECIDED]
            return []
        rows = text.push(self._undecided)
        self._undecided.clear()
        if rows:
            self.decoder = text
        return rows

    def _take(self, found: list[CsiFrames], host_ns: int, *, ended: bool) -> list[Chunk]:
        if self.spec is None:
            self._waiting += [(frames, host_ns) for frames in found]
            if not self._is_settled(ended=ended):
                return []
            self._settle()
            held, self._waiting = self._waiting, []
        else:
            held = [(frames, host_ns) for frames in found]
        chunks = (self._chunk(frames, arrived_ns) for frames, arrived_ns in held)
        return [chunk for chunk in chunks if chunk is not None]

    def _is_settled(self, *, ended: bool) -> bool:
        count = sum(len(frames) for frames, _ in self._waiting)
        if not count or (count < FEWEST and not ended):
            return False
        waited_ns = max(self._waiting[-1][1] - self._waiting[0][1], self._spanned_ns())
        return ended or count >= SETTLE_FRAMES or waited_ns >= (SETTLE_NS if self._is_introduced() else STATUS_NS)

    def _is_introduced(self) -> bool:
        """Whether it is known if the stream is simulated: the mark must not be lost with one damaged message."""
        if isinstance(self.decoder, FrameDecoder):
            return self.decoder.hello is not None or self.decoder.heartbeat is not None
        return True

    def _spanned_ns(self) -> int:
        """By the board's clock: a recording that is read at once needs no second."""
        first, last = (int(self._waiting[at][0].meta["t_us"][at]) for at in (0, -1))
        return ((last - first) & 0xFFFFFFFF) * 1000

    def _settle(self) -> None:
        metas = np.concatenate([frames.meta for frames, _ in self._waiting])
        self.sender = self.choice.sender
        if self.sender < 0:
            hashes, counts = np.unique(metas["mac_hash"], return_counts=True)
            self.sender = int(hashes[counts.argmax()])
        layouts: Counter[str] = Counter()
        for frames, _ in self._waiting:
            layouts[frames.layout] += int((frames.meta["mac_hash"] == self.sender).sum())
        self.layout, self.field = choose_field(+layouts or layouts, self.choice.field)
        self.spec = csi_spec(
            self.layout,
            self.field,
            self._rate_hz(metas[metas["mac_hash"] == self.sender]),
            self.choice.form,
            first_word_invalid=bool(metas["first_word_invalid"].any()),
            session_id=self.choice.session_id,
            simulated=self.simulated,
        )
        if not isinstance(self.decoder, FrameDecoder):
            self._samples.step = least_step(metas["rx_seq"])

    def _rate_hz(self, meta: NDArray[np.void]) -> float:
        # Not datasets.csi_times.measured_rate_hz, a median over seconds: here there is one, of which the mean is known.
        if self.choice.rate_hz:
            return self.choice.rate_hz
        hello = self.decoder.hello if isinstance(self.decoder, FrameDecoder) else None
        if hello is not None and hello.rate_hz:
            return float(hello.rate_hz)
        steps = np.diff(meta["t_us"]).astype(np.int64)  # modulo 2^32, as uint32 subtracts
        spanned_s = float(steps[steps < FORWARD * 1000].sum()) * 1e-6
        return float(f"{len(steps) / spanned_s:.3g}") if spanned_s > 0 else 1.0

    def _chunk(self, frames: CsiFrames, host_ns: int) -> Chunk | None:
        """The frames that belong to the stream; None where none does."""
        if self.spec is None:
            return None
        ours = frames.meta["mac_hash"] == self.sender
        self.counts[OTHER_SENDER] += len(frames) - int(ours.sum())
        fit = fits(frames.layout, self.field, self.spec)
        if not fit:
            self.counts[OTHER_LAYOUT] += int(ours.sum())
        numbered = self._samples.push(frames, ours, host_ns, fit=fit)
        if numbered is None:
            return None
        t_dev_ns, seq, flags = numbered
        self.restarts += int(((flags & Flag.CLOCK_RESET) != 0).sum())
        kept = CsiFrames(frames.layout, frames.iq[ours], frames.meta[ours], frames.boot)
        return to_chunk(kept, self.spec, self.field, t_dev_ns, np.full(len(seq), host_ns, np.int64), seq, flags)


class _Numbering:
    """Times, running numbers and flags of the stream's samples as they come; datasets.csi_times has a whole file's.

    A sample's number goes on by one, and by one for every frame of its sender that is known to be missing or unfit.
    """

    def __init__(self) -> None:
        self.gap = False
        self.step = 1  # of the receiver's number from frame to frame: csi_recv_router counts twice
        self._clock = CounterUnwrap()
        self._boot: int | None = None
        self._t_ns: int | None = None
        self._rx = self._tx = UNKNOWN_SEQ
        self._missing = 0  # since the last sample
        self._seq = -1

    def push(
        self, frames: CsiFrames, ours: NDArray[np.bool_], host_ns: int, *, fit: bool
    ) -> tuple[IntArray, IntArray, NDArray[np.uint16]] | None:
        """t_dev_ns, seq and flags of `ours`; None where there is no sample."""
        restarted = self._boot is not None and frames.boot != self._boot
        self._boot = frames.boot
        if restarted:
            self._clock, self._rx, self._tx = CounterUnwrap(), UNKNOWN_SEQ, UNKNOWN_SEQ
        meta = frames.meta
        lost = np.cumsum(frames_on(meta["rx_seq"], self._rx, self.step) - 1)
        self._rx = int(meta["rx_seq"][-1])
        count = int(ours.sum())
        if not fit or not count:
            self._missing += int(lost[-1]) + count
            self.gap |= restarted or bool(count)
            return None
        steps = 1 + np.diff(lost[ours], prepend=-self._missing)
        tx = meta["tx_seq"][ours]
        told = (tx != UNKNOWN_SEQ) & (np.concatenate([[self._tx], tx[:-1]]) != UNKNOWN_SEQ)
        steps = np.where(told, np.maximum(steps, frames_on(tx, self._tx, 1)), steps)
        self._tx, self._missing = int(tx[-1]), int(lost[-1] - lost[ours][-1])
        seq = self._seq + np.cumsum(steps)
        self._seq = int(seq[-1])
        t_ns, reset = self._times(meta["t_us"][ours], host_ns)
        reset[0] |= restarted
        flags = np.where(steps > 1, np.uint16(Flag.GAP_BEFORE), np.uint16(0))
        flags[0] |= np.uint16(Flag.GAP_BEFORE if self.gap else 0)
        flags[reset] |= np.uint16(Flag.CLOCK_RESET | Flag.GAP_BEFORE)
        self.gap = False
        return t_ns, seq, flags

    def _times(self, t_us: NDArray[np.uint32], host_ns: int) -> tuple[IntArray, NDArray[np.bool_]]:
        """Device times, and where the clock began anew."""
        t_ns, anew = self._clock.push(t_us, np.full(len(t_us), host_ns, np.int64))
        fell = np.diff(t_ns, prepend=t_ns[0] if self._t_ns is None else self._t_ns) < -RESTART_NS
        self._t_ns = int(t_ns[-1])
        return t_ns, anew | fell
