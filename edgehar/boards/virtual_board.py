"""A board without silicon: speaks the wire protocol of firmware/ over a line of a given speed; sans-IO, in stream time.

`read_until(t_us)` gives the bytes that the line has carried by true time t, so a test runs through ten minutes in as
long as the arithmetic takes, and a pseudo-terminal in real time. Its hello says that no radio is behind it.

The firmware's order (firmware/common/eh_board.c): hello and heartbeat when due, then replies and log, then frames,
which a ring of bounded size keeps, the oldest dropped first and counted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edgehar.boards.virtual_board_commands import Asked, CommandLines
from edgehar.boards.virtual_board_faults import BoardFaults, FaultyLine
from edgehar.boards.virtual_board_text import HEADER, text_rows
from edgehar.sources.virtual_csi_radio import CHANNEL, Heard, RadioSettings, VirtualRadio
from edgehar.wire.encode import encode_csi, encode_heartbeat, encode_hello, encode_log, encode_reply
from edgehar.wire.frames import CsiFrames, Loss
from edgehar.wire.layouts import SECONDARY
from edgehar.wire.messages import BoardFlag, Counters, Heartbeat, Hello, Link, Reply, ReplyStatus
from edgehar.wire.text_dialects import SIMULATED_MARK

HELLO_EVERY_US = 5_000_000
HEARTBEAT_EVERY_US = 1_000_000
BOOT_US = 350_000  # from reset to the first hello
BITS_A_BYTE = 10  # start, eight, stop
READ = 16  # transmissions taken from the radio at once
LOST_IN_RESTART = "lost_restart"  # queued when the board restarted
BOOT_TEXT = (
    b"ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"
    b"SPIWP:0xee\r\nmode:DIO, clock div:1\r\nentry 0x403c98d0\r\n"
    b"\x1b[0;32mI (29) boot: ESP-IDF v5.4 2nd stage bootloader\x1b[0m\r\n"
)
LOG_LINES = (
    b"W (81234) wifi:bcn_timeout,ap_probe_send_start\r\n",
    b"\x1b[0;33mW (90211) task_wdt: the simulated watchdog was not fed in time\x1b[0m\r\n",
    b"I (100342) wifi:new:<6,2>, old:<6,2>, ap:<255,255>, sta:<6,2>, prof:6\r\n",
)


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """baud 0: a link without a speed of its own (USB, TCP). text: rows of esp-csi's csi_recv instead of frames."""

    radio: RadioSettings = field(default_factory=RadioSettings)
    faults: BoardFaults = field(default_factory=BoardFaults)
    name: str = "virtual"
    chip: str = "esp32s3"
    baud: int = 921_600
    ring_bytes: int = 16_384
    text: bool = False
    link: Link = Link.UART


class VirtualBoard:
    """`read_until` and `receive` are its line; `reboot` and `plugged` its power and cable.

    truth: what became of its frames: `sent` (left the ring), and those lost, by `Loss` or LOST_IN_RESTART.
    on_frame: called with every frame that gets a number, before anything happens to it.
    """

    def __init__(self, settings: BoardSettings, on_frame: Callable[[CsiFrames], None] | None = None) -> None:
        self.settings = settings
        self.truth: Counter[str] = Counter()
        self.plugged = True
        self.boot = 0
        faults = settings.faults
        dead = settings.radio.dead or tuple(range(5, 5 + faults.dead))
        self._radio = VirtualRadio(replace(settings.radio, dead=dead))
        self._line = FaultyLine(faults, np.random.default_rng((settings.radio.seed, 0xB0A2D)))
        self._on_frame = on_frame
        self._air: deque[tuple[int, CsiFrames]] = deque()  # transmissions to come: true time in us, one frame each
        self._channel, self._secondary = CHANNEL, SECONDARY.index(self._radio.layout.secondary)
        self._rate_hz = min(round(settings.radio.rate_hz), 2000)
        self._now_us = 0.0
        self._free_us = 0.0  # when the line has sent everything before
        self._arrived: deque[tuple[float, bytes]] = deque()
        self._due_us = dict.fromkeys(("log", "reboot", "unplug"), float("inf"))
        for event, every_s in (
            ("log", faults.log_every_s),
            ("reboot", faults.reboot_every_s),
            ("unplug", faults.unplug_every_s),
        ):
            if every_s:
                self._due_us[event] = every_s * 1e6
        self._replug_us = float("inf")
        self._ring: deque[tuple[bytes, CsiFrames]] = deque()
        self._out = b""  # the rest of what is on the line
        self._whole = False  # whether that is a frame that may still arrive
        self._sent, self._began_us, self._late_us = 0, 0.0, 0.0  # of it: bytes sent, since when, the link's delay
        self._start(0)

    @property
    def now_us(self) -> int:
        """True time of the last `read_until`."""
        return int(self._now_us)

    @property
    def speaks(self) -> bool:
        """Whether it has started and is not silent for good."""
        return self._now_us >= self._speaks_us and not self.settings.faults.silent

    def label_at(self, t_s: float) -> str:
        """What the simulated person was doing at true time `t_s`."""
        return self._radio.label_at(t_s)

    def doing(self) -> str:
        """What the simulated person does just now."""
        return self.label_at(self.now_us / 1e6)

    def reboot(self) -> None:
        """Restart now: the queue is lost, numbers and clock begin again."""
        self._start(self._now_us)

    def receive(self, commands: bytes) -> None:
        """Bytes from the host."""
        for asked in self._commands.push(commands):
            self._obey(asked)

    def read_until(self, t_us: int) -> bytes:
        """What arrives at the host by true time `t_us`; nothing while the cable is out. Times must not fall."""
        while True:
            step_us = min(t_us, self._next_transmission_us(), *self._due_us.values(), self._replug_us)
            self._send_until(step_us)
            self._now_us = max(self._now_us, float(step_us))
            self._events()
            if self._now_us >= t_us:
                break
        found = []
        while self._arrived and self._arrived[0][0] <= t_us:
            found.append(self._arrived.popleft()[1])
        return b"".join(found)

    # What happens on and around the board.

    def _start(self, now_us: float) -> None:
        if self.boot:
            self.truth[LOST_IN_RESTART] += len(self._ring) + (bool(self._out) and self._whole)
        self.boot += 1
        self._booted_us = now_us
        self._speaks_us = now_us + BOOT_US
        self._hello_due_us = self._beat_due_us = float(self._speaks_us)
        self._ring.clear()
        self._ring_bytes = 0
        self._notes: deque[bytes] = deque()
        self._raw: deque[bytes] = deque([BOOT_TEXT + (HEADER if self.settings.text else b"")])
        self._out, self._whole = b"", False
        self._rx_seq = self._dropped_ring = self._bad_commands = 0
        self._layouts: list[int] = []
        self._running, self._reboots = True, False
        self._commands = CommandLines()
        self._free_us = max(self._free_us, float(now_us))

    def _next_transmission_us(self) -> int:
        if not self._air:
            heard: Heard = self._radio.push(READ)
            frames = heard.frames
            for i, t_ns in enumerate(heard.t_ns.tolist()):
                one = CsiFrames(frames.layout, frames.iq[i : i + 1], frames.meta[i : i + 1])
                self._air.append((t_ns // 1000, one))
        return self._air[0][0]

    def _events(self) -> None:
        faults = self.settings.faults
        while self._next_transmission_us() <= self._now_us:
            self._hear(*self._air.popleft())
        if self._due_us["log"] <= self._now_us:
            self._due_us["log"] += faults.log_every_s * 1e6
            self._raw.append(LOG_LINES[int(self._now_us // 1e6) % len(LOG_LINES)])
        if self._due_us["reboot"] <= self._now_us:
            self._due_us["reboot"] += faults.reboot_every_s * 1e6
            self.reboot()
        if self._due_us["unplug"] <= self._now_us:
            self._due_us["unplug"] += faults.unplug_every_s * 1e6
            self.plugged, self._replug_us = False, self._now_us + faults.unplug_s * 1e6
        if self._replug_us <= self._now_us:
            self.plugged, self._replug_us = True, float("inf")

    def _hear(self, t_us: int, frames: CsiFrames) -> None:
        faults = self.settings.faults
        if faults.no_traffic or faults.csi_off or self._channel != CHANNEL or t_us < self._speaks_us:
            return
        if self._line.lost_on_air():
            self.truth[Loss.RADIO] += 1
            return
        if not self._running:
            return
        meta = frames.meta.copy()
        meta["rx_seq"], meta["t_us"] = self._rx_seq, self._device_us(t_us) & 0xFFFFFFFF
        numbered = CsiFrames(frames.layout, frames.iq, meta, self.boot - 1)
        if self._radio.layout.id not in self._layouts:
            self._layouts.append(self._radio.layout.id)
        self._rx_seq += 1
        if self._on_frame is not None:
            self._on_frame(numbered)
        message = text_rows(numbered)[0] if self.settings.text else encode_csi(numbered, boot=self.boot)[0]
        self._ring.append((message, numbered))
        self._ring_bytes += len(message)
        while self._ring_bytes > self.settings.ring_bytes:
            self._ring_bytes -= len(self._ring.popleft()[0])
            self._dropped_ring += 1
            self.truth[Loss.RING] += 1

    def _obey(self, asked: Asked) -> None:
        status = asked.status
        if status is not ReplyStatus.DONE:
            self._bad_commands += 1
        elif asked.name == "hello":
            self._hello_due_us = 0.0
        elif asked.name in ("start", "stop"):
            self._running = asked.name == "start"
        elif asked.name == "rate":
            self._rate_hz = asked.number
        elif asked.name == "channel":
            self._channel, self._secondary = asked.number, SECONDARY.index(asked.word)
        elif asked.name == "gain":
            self._radio.gain_locked = asked.word == "lock"
        elif asked.name == "reboot":
            self._reboots = True
        if not self.settings.text:
            self._notes.append(encode_reply(Reply(self.boot, asked.id, status, asked.text)))

    def log(self, text: str, *, level: int = 3) -> None:
        """Say a line of log, in a frame of its own."""
        self._notes.append(encode_log(self.boot, text, level=level))

    # The line.

    def _send_until(self, until_us: float) -> None:
        """Put bytes on the line at its speed, up to true time `until_us`."""
        byte_us = BITS_A_BYTE * 1e6 / self.settings.baud if self.settings.baud else 0.0
        while self._free_us < until_us:
            if not self._out and not self._next_message():
                self._free_us = self._wakes_us(until_us)
                continue
            fits = int((until_us - self._began_us) / byte_us) - self._sent if byte_us else len(self._out)
            if self._out and fits <= 0:
                return
            sent, self._out = self._out[:fits], self._out[fits:]
            self._sent += len(sent)
            self._free_us = self._began_us + self._sent * byte_us  # not a running sum: how it is cut shall not show
            if self.plugged:
                late_us = self._arrived[-1][0] if self._arrived else 0.0
                self._arrived.append((max(late_us, self._free_us + self._late_us), sent))
            elif self._whole:
                self.truth[Loss.LINK] += 1
                self._whole = False

    def _wakes_us(self, until_us: float) -> float:
        """When the idle line may have something to say again, at most `until_us`."""
        if self.settings.faults.silent:
            return until_us
        return min(until_us, max(self._speaks_us, min(self._beat_due_us, self._hello_due_us)))

    def _is_due(self) -> bool:
        return self._free_us >= self._speaks_us and self._free_us >= min(self._beat_due_us, self._hello_due_us)

    def _next_message(self) -> bool:
        """Choose what goes onto the line next; False where there is nothing."""
        if self.settings.faults.silent:
            return False
        if self._raw:
            return self._put(self._raw.popleft())
        if self._free_us < self._speaks_us:
            return False
        if self._is_due():
            return self._put(self._status())
        if self._notes:
            return self._put(self._notes.popleft())
        if self._reboots:
            self._start(self._free_us)
            return self._next_message()
        if self._ring:
            message, _ = self._ring.popleft()
            self._ring_bytes -= len(message)
            return self._put(message, counts=True)
        return False

    def _put(self, message: bytes, *, counts: bool = False) -> bool:
        """The message as the line makes it; one that vanishes takes its time all the same."""
        spoilt = self._line.spoil(message)
        self._whole = counts and spoilt == message
        if counts:
            self.truth["sent"] += 1
            self.truth[Loss.LINK] += not self._whole
        if spoilt is None and self.settings.baud:
            self._free_us += len(message) * BITS_A_BYTE * 1e6 / self.settings.baud
        self._out, self._sent, self._began_us = spoilt or b"", 0, self._free_us
        self._late_us = self._line.delay_us()
        return True

    def _status(self) -> bytes:
        """Hello where it is due, else a heartbeat; of both, rows of text leave the mark alone."""
        counters = Counters(self._rx_seq - len(self._ring), self._dropped_ring, bad_commands=self._bad_commands)
        t_us = self._device_us(self._free_us)
        flags = BoardFlag.SIMULATED | BoardFlag.SALTED | (BoardFlag.RUNNING if self._running else BoardFlag(0))
        flags |= BoardFlag.GAIN_LOCKED if self._radio.gain_locked else BoardFlag(0)
        self._beat_due_us = self._free_us + HEARTBEAT_EVERY_US
        if self.settings.text:
            self._hello_due_us = float("inf")
            return SIMULATED_MARK + b", no radio is behind it\r\n"
        if self._free_us < self._hello_due_us:
            return encode_heartbeat(Heartbeat(self.boot, t_us, flags, counters))
        self._hello_due_us = self._free_us + HELLO_EVERY_US
        settings = self.settings
        return encode_hello(
            Hello(
                self.boot,
                t_us,
                settings.chip,
                "virtual",
                settings.name,
                csi=not settings.faults.csi_off,
                flags=flags,
                link=settings.link,
                baud=settings.baud,
                rate_hz=self._rate_hz,
                channel=self._channel,
                secondary=self._secondary,
                layouts=tuple(self._layouts),
                counters=counters,
            )
        )

    def _device_us(self, t_us: float) -> int:
        """What the board's clock shows."""
        return max(0, round((t_us - self._booted_us) * (1 + self.settings.faults.drift_ppm * 1e-6)))
