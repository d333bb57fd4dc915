"""A tag without silicon: an inertial sensor that says what firmware/imu_ble says, message by message; sans-IO.

`advance(t_us)` gives the messages that the tag has handed to its link by true time t, so a test runs through ten
minutes in as long as the arithmetic takes. Whoever carries them wraps them: as packets over Bluetooth LE
(virtual_tag_ble.py), as frames over a cable. Everything it says carries the mark SIMULATED.

Samples wait in a queue of bounded size for `room` on the link, the oldest dropped first and counted; hello and
heartbeat overtake those that wait, and say with their counters which did not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgehar.boards.virtual_board_commands import Asked, parse_command
from edgehar.boards.virtual_tag_faults import TagFaults
from edgehar.boards.virtual_tag_motion import Motion
from edgehar.boards.virtual_tag_queue import TagQueue, TagSample
from edgehar.wire.axes import rotate
from edgehar.wire.frames import Loss
from edgehar.wire.gatt import gatt
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, Reply, ReplyStatus
from edgehar.wire.schema import schema

HELLO_EVERY_US = 5_000_000
HEARTBEAT_EVERY_US = 1_000_000
BOOT_US = 350_000  # from reset to the first word
FULL_SCALE = 32768
MOST_SAMPLES = 64  # in one message, however large the link's are
FASTEST_HZ = 2000
LOST_IN_RESTART = "lost_restart"  # queued when the tag restarted
NEVER = float("inf")
UNBOUNDED = 1 << 30

_IMU = schema().kinds["imu"]
_SAMPLES_AT = next(at for field, at in _IMU.offsets() if field.name == "samples")  # of its payload

Message = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class TagSettings:
    """rate_hz 0: the motion's own, in whole Hz. waits: it measures nothing until `wake`, as a tag that saves power."""

    name: str = "virtual-tag"
    chip: str = "esp32s3"
    firmware: str = "virtual"
    sensor: str = "virtual"
    rate_hz: int = 0
    accel_range_g: int = 8
    gyro_range_dps: int = 1000
    axes: int = 0
    battery_percent: int = 87
    queue_samples: int = 512
    waits: bool = False
    seed: int = 0
    faults: TagFaults = field(default_factory=TagFaults)


class VirtualTag:
    """`advance` is its time, `command` its ears, `reboot` its reset button, `mtu` what its link carries.

    truth: what became of its samples: `samples` (numbered), `sent` (handed to the link), and those lost, by `Loss` or
    LOST_IN_RESTART. on_samples: called with all that are measured, before anything happens to them.
    """

    def __init__(
        self, settings: TagSettings, motion: Motion, on_samples: Callable[[ImuSamples], None] | None = None
    ) -> None:
        self.settings = settings
        self.motion = motion
        self.truth: Counter[str] = Counter()
        self.boot = 0
        self.most_samples = MOST_SAMPLES
        """What one message carries at most; the link's size says."""
        self._on_samples = on_samples
        self._rng = np.random.default_rng((settings.seed, 0x7A6))
        self._awake = not settings.waits
        self._over = False
        self._now_us = 0.0
        self._motion_us = 0  # of the motion, what has been read
        self._accel, self._gyro, self._axes = settings.accel_range_g, settings.gyro_range_dps, settings.axes
        self._period_us = round(1e6 / (settings.rate_hz or motion.rate_hz))
        self._waiting: deque[tuple[float, Message]] = deque()  # handed to the link, but late
        faults = settings.faults
        self._due_us = {
            "overrun": faults.overrun_every_s * 1e6 or NEVER,
            "stall": faults.stall_every_s * 1e6 or NEVER,
            "reboot": faults.reboot_every_s * 1e6 or NEVER,
        }
        self._stalls_until_us = 0.0
        self._queue = TagQueue(settings.queue_samples)
        self._speaks_us = 0.0
        self._start(0.0)

    @property
    def now_us(self) -> int:
        """True time of the last `advance`."""
        return int(self._now_us)

    @property
    def speaks(self) -> bool:
        """Whether it has started."""
        return self._now_us >= self._speaks_us

    @property
    def over(self) -> bool:
        """Whether the motion has ended and everything measured has left the queue."""
        return self._over and not self._queue

    @property
    def queued(self) -> int:
        """Samples that wait for the link."""
        return len(self._queue)

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return 1e6 / self._period_us

    @property
    def wire_version(self) -> int | None:
        """What its packets claim to be, where that is not the right version."""
        return self.settings.faults.wire_version or None

    def doing(self) -> str:
        """What the simulated person does just now."""
        return self.motion.label_at(self._motion_us)

    def wake(self) -> None:
        """Somebody listens for the first time: measure from now on."""
        if not self._awake:
            self._awake = True
            self._next_us = self._device_us(max(self._now_us, self._speaks_us))

    def reboot(self) -> None:
        """Restart now: the queue is lost, numbers and clock begin again."""
        self._start(self._now_us)

    def hello(self) -> Message:
        """Who it is and how it is set."""
        settings = self.settings
        return imu_payload(
            ImuHello(
                self.boot,
                self._device_us(self._now_us),
                settings.chip,
                settings.firmware,
                settings.name,
                settings.sensor,
                round(self.rate_hz),
                self._accel,
                self._gyro if self.motion.channels > len("xyz") else 0,
                self._axes,
                self.motion.channels,
                self._flags(),
                settings.battery_percent,
            )
        )

    def heartbeat(self) -> Message:
        """Its clock and counters, as of now."""
        queue = self._queue
        totals = (queue.next_seq, queue.dropped, queue.lost_by_sensor, self._bad_commands)
        now_us = self._device_us(self._now_us)
        return imu_payload(ImuHeartbeat(self.boot, now_us, self._flags(), *totals, self.settings.battery_percent))

    def command(self, line: str | bytes) -> Message:
        """Do what one line asks for, with or without its line feed; the reply."""
        text = line.decode("latin-1") if isinstance(line, bytes) else line
        text = text.rstrip("\r\n\0")
        overlong = len(text) > schema().max_command_bytes
        asked = parse_command(text[: schema().max_command_bytes], overlong=overlong, device="imu")
        return self._obey(asked)

    def hear(self, line: str | bytes) -> None:
        """Do what one line asks for; the reply is among what it says next."""
        self._say(self.command(line), loses=False)

    def lose(self, message: Message) -> None:
        """The link went while `message` was on its way."""
        kind, payload = message
        if kind == _IMU.id:
            self.truth[Loss.LINK] += payload[_SAMPLES_AT]

    def advance(self, t_us: int, *, room: int | None = None) -> list[Message]:
        """What it says by true time `t_us`, in order. room: messages of samples that the link takes until then.

        Times must not fall. None: the link takes whatever comes.
        """
        room = UNBOUNDED if room is None else room
        while True:
            step_us = max(self._now_us, min(float(t_us), self._next_event_us()))
            self._now_us = step_us
            room -= self._events(room)
            if step_us >= t_us and self._next_event_us() > t_us:
                break
        said = []
        while self._waiting and self._waiting[0][0] <= t_us:
            said.append(self._waiting.popleft()[1])
        return said

    # What happens in the tag.

    def _start(self, now_us: float) -> None:
        if self.boot:
            self.truth[LOST_IN_RESTART] += len(self._queue)
        self.boot += 1
        self._booted_us, self._speaks_us = now_us, now_us + BOOT_US
        self._queue = TagQueue(self.settings.queue_samples)
        self._seq = self._lost_before = self._overrun_left = self._bad_commands = 0
        self._next_us = self._device_us(self._speaks_us)
        self._hello_due_us = self._beat_due_us = self._speaks_us
        self._running, self._reboots = True, False

    def _next_event_us(self) -> float:
        """True time at which something happens by itself, next."""
        if self._reboots:
            return self._now_us
        sample_us = self._true_us(self._next_us) if self._measures() else NEVER
        flows_us = self._stalls_until_us if self._stalls_until_us > self._now_us else NEVER
        return min(sample_us, flows_us, self._hello_due_us, self._beat_due_us, *self._due_us.values())

    def _events(self, room: int) -> int:
        """Everything that is due now; how many messages of samples were sent."""
        faults, now_us = self.settings.faults, self._now_us
        if self._due_us["reboot"] <= now_us:
            self._due_us["reboot"] += faults.reboot_every_s * 1e6
            self._reboots = True
        if self._reboots:
            self._start(now_us)
        if self._due_us["overrun"] <= now_us:
            self._due_us["overrun"] += faults.overrun_every_s * 1e6
            self._overrun_left = faults.overrun
        if self._due_us["stall"] <= now_us:
            self._due_us["stall"] += faults.stall_every_s * 1e6
            self._stalls_until_us = now_us + faults.stall_s * 1e6
        if not self.speaks:
            return 0
        if self._measures() and self._true_us(self._next_us) <= now_us:
            self._measure()
        sent = 0 if now_us < self._stalls_until_us else self._send(room)
        if self._hello_due_us <= now_us:
            self._hello_due_us = now_us + HELLO_EVERY_US
            self._say(self.hello(), loses=False)
        if self._beat_due_us <= now_us:
            self._beat_due_us += HEARTBEAT_EVERY_US
            self._say(self.heartbeat())
        return sent

    def _measures(self) -> bool:
        return self._awake and self._running and not self._over

    def _measure(self) -> None:
        """The sensor's next sample."""
        x = self.motion.read(1, self._period_us)
        if not len(x):
            self._over = True
            return
        self._motion_us += self._period_us
        t_us, self._next_us = self._next_us, self._next_us + self._period_us
        values = self._as_sent(x[0])
        gyro = self._gyro if len(values) > len("xyz") else 0
        sample = TagSample(self._seq, t_us, self._period_us, self._accel, gyro, values, self._lost_before)
        if self._on_samples is not None:
            self._on_samples(ImuSamples(self.boot, sample.seq, t_us, self._period_us, self._accel, gyro, values[None]))
        self._seq += 1
        self.truth["samples"] += 1
        if self._overrun_left:
            self._overrun_left -= 1
            self._lost_before += 1
            self.truth[Loss.SENSOR] += 1
            return
        self._lost_before = 0
        self.truth[Loss.QUEUE] += self._queue.push(sample)

    def _as_sent(self, x: NDArray[np.float64]) -> NDArray[np.int16]:
        """The sensor's numbers for x [c] in g and degrees a second, turned as asked."""
        ranges = np.repeat([float(self._accel), float(self._gyro)], 3)[: len(x)]
        raw = np.clip(np.rint(x / ranges * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        turned: NDArray[np.int16] = rotate(raw[None], self._axes)[0]
        return turned

    def _send(self, room: int) -> int:
        """Hand samples to the link: as many a message as come within the time that one may wait, more of a backlog."""
        enough = 1 if self._over or not self._running else 1 + gatt().link.max_wait_ms * 1000 // self._period_us
        messages = 0
        while messages < room and self.most_samples and len(self._queue) >= min(enough, self.most_samples):
            samples = self._queue.take(self.most_samples, self.boot)
            messages += 1
            self.truth["sent"] += len(samples.x)
            if not self._say(imu_payload(samples)):
                self.truth[Loss.LINK] += len(samples.x)
        return messages

    def _say(self, message: Message, *, loses: bool = True) -> bool:
        """Put a message on the link; False where it vanishes."""
        faults = self.settings.faults
        if loses and faults.loss and self._rng.random() < faults.loss:
            return False
        late_us = self._rng.exponential(faults.jitter_ms * 1000) if faults.jitter_ms else 0.0
        behind_us = self._waiting[-1][0] if self._waiting else 0.0
        self._waiting.append((max(behind_us, self._now_us + late_us), message))
        return True

    def _obey(self, asked: Asked) -> Message:
        status, changes = asked.status, False
        if asked.name == "rate" and not 1 <= asked.number <= FASTEST_HZ:
            status = ReplyStatus.BAD_ARGUMENT
        if status is not ReplyStatus.DONE:
            self._bad_commands += 1
        elif asked.name == "rate":
            self._period_us, changes = round(1e6 / asked.number), True
        elif asked.name == "accel":
            self._accel, changes = asked.number, True
        elif asked.name == "gyro":
            self._gyro, changes = asked.number, True
        elif asked.name == "axes":
            self._axes, changes = asked.number, True
        elif asked.name in ("start", "stop"):
            self._run(goes=asked.name == "start")
            changes = True
        elif asked.name == "reboot":
            self._reboots = True
        if changes or (status is ReplyStatus.DONE and asked.name == "hello"):
            self._hello_due_us = max(self._now_us, self._speaks_us)
        return imu_payload(Reply(self.boot, asked.id, status, asked.text))

    def _run(self, *, goes: bool) -> None:
        if goes and not self._running:
            self._next_us = max(self._next_us, self._device_us(self._now_us))
        self._running = goes

    def _flags(self) -> BoardFlag:
        return BoardFlag.SIMULATED | (BoardFlag.RUNNING if self._running else BoardFlag(0))

    def _device_us(self, t_us: float) -> int:
        """What the tag's clock shows."""
        return max(0, round((t_us - self._booted_us) * (1 + self.settings.faults.drift_ppm * 1e-6)))

    def _true_us(self, device_us: int) -> float:
        return self._booted_us + device_us / (1 + self.settings.faults.drift_ppm * 1e-6)
