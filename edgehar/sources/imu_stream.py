"""From the messages of a tag to Chunks; sans-IO, shared by the cable and Bluetooth LE.

A tag numbers its samples and dates them by its own clock, so what is missing is known exactly and nothing is guessed.
Values are int16 of a range that every message names: the stream's units stay g and rad/s when a range changes.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from edgehar.clock import RESTART_NS
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.tag_clock import TagClock
from edgehar.types import Chunk, Flag, FloatArray, StreamSpec
from edgehar.wire.frames import Cause, Loss
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply, ReplyStatus
from edgehar.wire.numbered import MODULUS, NumberedLosses

ACCEL, GYRO = ("acc_x", "acc_y", "acc_z"), ("gyro_x", "gyro_y", "gyro_z")
FULL_SCALE = 32768
SATURATED = 32767  # a sensor at its end of range; a negated -32768 becomes this, too
RADPS = np.pi / 180
STATUS_NS = 1_900_000_000  # a tag says once a second whether it is simulated; one of these may be lost
MOST_WAITING = 4096  # messages that wait for the tag to say what it is
SAMPLES, REPEATED, OTHER_CHANNELS, REFUSED = "samples", "repeated", "other_channels", "refused_commands"
BEFORE_SETTING = "before_setting"
MOST_OLDER = 4096  # samples that may wait in a tag; beyond, its hello is wrong about its rate
SAME_RATE = 0.25  # a hello rounds to whole Hz
RATE_CHANGES, RANGE_CHANGES = "rate_changes", "range_changes"
ImuMessage = ImuHello | ImuHeartbeat | ImuSamples | Reply | LogLine | Cause


class ImuStream:
    """`push` messages as they arrive, and a `Cause` for what was none; Chunks come out once `spec` is known.

    That is with the first samples after the tag's hello, or two seconds after the first of all. `counts`: samples, and
    what did not become one by cause; `losses`: samples that never arrived, by where they went missing, settled at each
    heartbeat. `restarts`: how often the tag's clock began anew.
    """

    def __init__(self, choice: Choice | None = None) -> None:
        self.choice = choice or Choice()
        self.counts: Counter[str] = Counter()
        self.spec: StreamSpec | None = None
        self.hello: ImuHello | None = None
        self.heartbeat: ImuHeartbeat | None = None
        self.restarts = 0
        self._account = NumberedLosses()
        self._waiting: list[tuple[ImuSamples, int]] = []  # until the spec is known
        self._simulated = False
        self._boot: int | None = None
        self._clock = TagClock()
        self._flags = Flag.NONE  # of the next sample
        self._last: tuple[int, int] | None = None  # number and device time of the newest sample
        self._settings: tuple[int, int, int] | None = None  # period and ranges of the newest message

    @property
    def losses(self) -> Counter[Loss]:
        """Samples that never arrived, by where they went missing; `pending` are not settled yet."""
        return self._account.losses

    @property
    def totals(self) -> Counter[str]:
        """`counts` and `losses` together."""
        return +(self.counts + Counter({str(loss): count for loss, count in self.losses.items()}))

    @property
    def pending(self) -> int:
        """Samples missing since the last heartbeat: the next one tells where they went."""
        return self._account.pending

    @property
    def simulated(self) -> bool:
        """Whether the tag has said that no sensor is behind it."""
        return self._simulated

    def push(self, message: ImuMessage, host_ns: int) -> list[Chunk]:
        """A message that arrived at `host_ns` on the host's monotonic clock."""
        if isinstance(message, Cause):
            self.counts[message] += 1
            self.damage()
            return []
        if isinstance(message, LogLine):
            return []
        if self._boot is not None and message.boot != self._boot:
            self._restart()
        self._boot = message.boot
        if isinstance(message, Reply):
            self.counts[REFUSED] += message.status is not ReplyStatus.DONE
            return []
        if not isinstance(message, ImuSamples):
            self._hear(message)
        elif self._is_older(message):
            self.counts[BEFORE_SETTING] += len(message.x)
            self._account.arrived(message.seq, len(message.x))
        else:
            self._waiting.append((message, host_ns))
        return self._take() if self._is_settled() else []

    def damage(self) -> None:
        """Something came that was no message; it may have been samples."""
        self._account.damage()

    def settle(self) -> list[Chunk]:
        """Decide now what the stream is, by the samples that came."""
        return self._take() if self._waiting else []

    def interrupt(self) -> None:
        """The connection was lost here. Whether samples were, too, their numbers say when it is back: a tag's queue may
        have kept them all, and what did not come is a marked gap.
        """

    def finish(self) -> list[Chunk]:
        """The stream is over."""
        found = self.settle()
        self._account.finish()
        return found

    def _hear(self, message: ImuHello | ImuHeartbeat) -> None:
        self._simulated |= BoardFlag.SIMULATED in message.flags
        if self._clock.fell(message.t_us):
            self._restart()
        self._clock.hear(message.t_us)
        if isinstance(message, ImuHello):
            self.hello = message
            return
        self.heartbeat = message
        # One that was read after newer samples had come tells nothing new.
        self._account.mark_at(
            message.next_seq, {Loss.QUEUE: message.dropped_queue, Loss.SENSOR: message.dropped_sensor}
        )

    def _restart(self) -> None:
        """The tag started anew, and with it its numbers and its clock."""
        self.restarts += 1
        self._account.restart()
        self._clock = TagClock()
        if self._last is not None:
            self._flags |= Flag.CLOCK_RESET | Flag.GAP_BEFORE
        self._last = None

    def _is_older(self, message: ImuSamples) -> bool:
        """Whether it waited in the tag's queue while the tag was set to another rate: no part of the stream."""
        if self.spec is not None or self.hello is None or self.counts[BEFORE_SETTING] > MOST_OLDER:
            return False
        return abs(message.period_us * self.hello.rate_hz / 1e6 - 1) > SAME_RATE

    def _is_settled(self) -> bool:
        if not self._waiting:
            return False
        if self.spec is not None or self.hello is not None:
            return True
        waited_ns = self._waiting[-1][1] - self._waiting[0][1]
        return len(self._waiting) >= MOST_WAITING or waited_ns >= STATUS_NS

    def _take(self) -> list[Chunk]:
        if self.spec is None:
            self.spec = self._describe()
        held, self._waiting = self._waiting, []
        chunks = (self._chunk(message, host_ns) for message, host_ns in held)
        return [chunk for chunk in chunks if chunk is not None]

    def _describe(self) -> StreamSpec:
        """The stream as the hello says it is, else as its first samples are."""
        hello = self.hello
        if hello is not None:
            channels, rate_hz, name = hello.channels, float(hello.rate_hz), hello.name
            accel, gyro = hello.accel_range_g, hello.gyro_range_dps
        else:
            first = self._waiting[0][0]
            channels, rate_hz, name = first.x.shape[1], float(f"{1e6 / first.period_us:.3g}"), ""
            accel, gyro = first.accel_range_g, first.gyro_range_dps
        only_gyro = channels == 3 and gyro > 0 and not accel
        names = GYRO if only_gyro else (*ACCEL, *GYRO)[:channels]
        return StreamSpec(
            "imu",
            names,
            rate_hz,
            tuple("g" if name in ACCEL else "radps" for name in names),
            placement=self.choice.placement,
            session_id=self.choice.session_id or name,
            simulated=self.simulated,
        )

    def _chunk(self, message: ImuSamples, host_ns: int) -> Chunk | None:
        """The message's samples; None where they are none of the stream's."""
        if self.spec is None:
            return None
        n, width = message.x.shape
        x = scaled(message)
        if width != len(self.spec.channels) or x is None:
            self.counts[OTHER_CHANNELS] += n
            self._account.arrived(message.seq, n)  # what is missing of the stream is not lost
            self._flags |= Flag.GAP_BEFORE
            return None
        host = np.full(n, host_ns, np.int64)
        first_us = self._clock.full_us(message.t_us)
        if self._last is not None and 1000 * first_us < self._last[1] - RESTART_NS:
            self._restart()  # its clock fell back, whatever its start is numbered
            first_us = self._clock.full_us(message.t_us)
        self._clock.newest_us = first_us
        t_ns = 1000 * (first_us + message.period_us * np.arange(n, dtype=np.int64))
        first = self._unwrapped(message.seq)
        if first is None:
            self.counts[REPEATED] += n
            return None
        if not self._account.arrived(message.seq, n):
            self._account.late(n)
        if self._last is not None and first != self._last[0] + 1:
            self._flags |= Flag.GAP_BEFORE
        self._note_changes(message)
        flags = np.where((np.abs(message.x.astype(np.int32)) >= SATURATED).any(axis=1), Flag.CLIPPED, Flag.NONE)
        flags[0] |= self._flags
        self._flags = Flag.NONE
        self._last = first + n - 1, int(t_ns[-1])
        self.counts[SAMPLES] += n
        return Chunk(self.spec, t_ns, host, first + np.arange(n, dtype=np.int64), x, flags.astype(np.uint16))

    def _unwrapped(self, seq: int) -> int | None:
        """The first sample's number; None where it came before, as it does when a link repeats itself."""
        if self._last is None:
            return seq
        step = (seq - self._last[0]) % MODULUS
        return self._last[0] + step if 0 < step < MODULUS // 2 else None

    def _note_changes(self, message: ImuSamples) -> None:
        """The spec stays; what follows a change of rate, the pipeline judges by the samples' own times."""
        settings = message.period_us, message.accel_range_g, message.gyro_range_dps
        if self._settings is not None and settings != self._settings:
            self.counts[RATE_CHANGES] += settings[0] != self._settings[0]
            self.counts[RANGE_CHANGES] += settings[1:] != self._settings[1:]
        self._settings = settings


def scaled(message: ImuSamples) -> FloatArray | None:
    """[n, c] float32 in g and rad/s; None where the message does not tell the range of a channel that it holds.

    value = raw range / 32768, range being what 32768 would stand for.
    """
    accel, gyro = message.accel_range_g / FULL_SCALE, message.gyro_range_dps * RADPS / FULL_SCALE
    width = message.x.shape[1]
    factors = (accel,) * 3 + (gyro,) * 3 if width == 6 else ((accel or gyro),) * 3
    if width not in (3, 6) or not all(factors):
        return None
    x: FloatArray = (message.x * np.array(factors)).astype(np.float32)
    return x
