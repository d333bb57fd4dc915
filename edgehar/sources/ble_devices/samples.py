"""The samples of a Bluetooth LE sensor as one stream: what adapters share beside the meaning of their bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.ble_devices.timing import Timing
from edgehar.sources.imu_stream import ACCEL, GYRO, RADPS, REPEATED, SAMPLES, SATURATED
from edgehar.types import Chunk, Flag, FloatArray, StreamSpec
from edgehar.wire.frames import Cause, Loss

__all__ = [
    "ACCEL",
    "GYRO",
    "G_MPS2",
    "RADPS",
    "RESTARTS",
    "SILENCES",
    "UNNUMBERED",
    "SampleStream",
    "SampledDevice",
    "floats",
    "nearest",
    "saturated",
]

G_MPS2 = 9.80665

# What is counted beside samples, and the causes and losses that wire/frames.py names.
UNNUMBERED = "unnumbered"  # samples before which others may be missing: their device does not tell
RESTARTS, SILENCES = "restarts", "silences"

SETTLE_NS = 2_000_000_000
FEWEST = 10
USUAL_RATES_HZ = (10, 12.5, 13, 20, 25, 26, 30, 40, 50, 52, 60, 62.5, 100, 104, 119, 200, 208)
NEAR = 0.03


class SampleStream:
    """`push` decoded packets; Chunks come out, at once where the rate is known, else when it was measured.

    timing: makes what places the packets in time, for a rate. rate_hz 0: not known before `settle` is called, or before
    two seconds of arrivals have shown it. Units are g and rad/s.
    """

    def __init__(
        self, choice: Choice, channels: tuple[str, ...], timing: Callable[[float], Timing], rate_hz: float = 0.0
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.spec: StreamSpec | None = None
        self._choice = choice
        self._channels = channels
        self._make_timing = timing
        self._timing: Timing | None = None
        self._held: list[tuple[FloatArray, NDArray[np.uint16], int, int, int]] = []  # until the rate is known
        self._seq = -1
        self._gap = False
        if rate_hz:
            self.settle(rate_hz)

    def settle(self, rate_hz: float, channels: tuple[str, ...] = ()) -> None:
        """What the device says that the stream is. Once known it stays, whatever is said after a reconnect."""
        if self.spec is not None:
            return
        self._channels = channels or self._channels
        self._timing = self._make_timing(rate_hz)
        self.spec = StreamSpec(
            "imu",
            self._channels,
            rate_hz,
            tuple("g" if channel in ACCEL else "radps" for channel in self._channels),
            placement=self._choice.placement,
            session_id=self._choice.session_id,
        )

    def push(
        self, x: ArrayLike, host_ns: int, *, ticks: int = 0, number: int = 0, clipped: NDArray[np.bool_] | None = None
    ) -> list[Chunk]:
        """One packet, x [n, c], n > 0. ticks, number: what `timing` wants; clipped [n]: at the end of the range."""
        values = np.array(x, np.float32)
        if np.isinf(values).any():
            broken = np.isinf(values).any(axis=1)
            values[broken] = np.nan
            self.counts[Cause.VALUE] += int(broken.sum())
        flags = np.zeros(len(values), np.uint16)
        if clipped is not None:
            flags[clipped] = np.uint16(Flag.CLIPPED)
        if self._gap:
            flags[0] |= np.uint16(Flag.GAP_BEFORE)
        self._gap = False
        self._held.append((values, flags, host_ns, ticks, number))
        if self._timing is None:
            self._measure()
        if self._timing is None:
            return []
        held, self._held = self._held, []
        chunks = (self._chunk(self._timing, *packet) for packet in held)
        return [chunk for chunk in chunks if chunk is not None]

    def refuse(self, cause: str) -> list[Chunk]:
        """A value that is not what the layout says: counted, and a gap. Gives no Chunk."""
        self.counts[cause] += 1
        self._gap = True
        return []

    def interrupt(self) -> None:
        """What follows is behind a gap."""
        self._gap = True

    def _measure(self) -> None:
        arrivals_ns = [host_ns for _, _, host_ns, _, _ in self._held]
        sizes = [len(values) for values, *_ in self._held]
        spanned_ns = arrivals_ns[-1] - arrivals_ns[0]
        if spanned_ns < SETTLE_NS or sum(sizes) < FEWEST:
            return
        # A silence says nothing of the rate: steps far above the usual one are left out.
        steps_ns = np.diff(arrivals_ns)
        usual = steps_ns <= max(20 * float(np.median(steps_ns)), SETTLE_NS / 4)
        measured_hz = float(np.array(sizes[1:])[usual].sum()) / max(float(steps_ns[usual].sum()) * 1e-9, 1e-3)
        near = min(USUAL_RATES_HZ, key=lambda rate_hz: abs(rate_hz - measured_hz))
        self.settle(near if abs(near / measured_hz - 1) <= NEAR else float(f"{measured_hz:.2g}"))

    def _chunk(
        self, timing: Timing, x: FloatArray, flags: NDArray[np.uint16], host_ns: int, ticks: int, number: int
    ) -> Chunk | None:
        n = len(x)
        placed = timing.place(n, host_ns, ticks, number)
        if placed is None or self.spec is None:
            self.counts[REPEATED] += n
            self._gap |= bool(flags[0] & Flag.GAP_BEFORE)
            return None
        if placed.restarted:
            self.counts[RESTARTS] += 1
            flags[0] |= np.uint16(Flag.CLOCK_RESET | Flag.GAP_BEFORE)
        if placed.gap:
            flags[0] |= np.uint16(Flag.GAP_BEFORE)
        self.counts[SAMPLES] += n
        if placed.missing:
            self.counts[Loss.UNKNOWN] += placed.missing
        if not timing.tells_loss:
            self.counts[UNNUMBERED] += n
            self.counts[SILENCES] += int(placed.gap)
        first = self._seq + 1 + placed.missing
        self._seq = first + n - 1
        seq = np.arange(first, first + n, dtype=np.int64)
        return Chunk(self.spec, placed.t_dev_ns, np.full(n, host_ns, np.int64), seq, x, flags)


class SampledDevice:
    """A device whose samples are one SampleStream. Adapters add `steps` and `take`."""

    title = ""

    def __init__(self, samples: SampleStream) -> None:
        self._samples = samples
        self.counts = samples.counts

    @property
    def spec(self) -> StreamSpec | None:
        """What the stream is; None until its rate is known."""
        return self._samples.spec

    def interrupt(self) -> None:
        """The connection was lost here."""
        self._samples.interrupt()


def nearest(wanted: float, has: Sequence[float], otherwise: float) -> float:
    """Of what a device `has` the nearest to what is `wanted` (of two, the larger); `otherwise` where that is 0.

    >>> nearest(60, (25, 50, 100), 50), nearest(0, (25, 50, 100), 100)
    (50, 100)
    """
    return min(has, key=lambda value: (abs(value - wanted), -value)) if wanted else otherwise


def floats(value: bytes, offset: int = 0) -> NDArray[np.float64]:
    """The float32 LE that `value` holds from `offset` on."""
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return np.frombuffer(value, "<f4", offset=offset).astype(np.float64)


def saturated(raw: NDArray[np.int16]) -> NDArray[np.bool_]:
    """[n]: where a value of raw [n, c] is at an end of 16 bits."""
    return np.asarray(np.any(np.abs(raw.astype(np.int32)) >= SATURATED, axis=1), np.bool_)
