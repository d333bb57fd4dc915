"""After flashing: wait until the board says who it is, and hold that against what it was told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from edgehar.boards.flash.outcome import BOOT_BUTTON
from edgehar.boards.flash.settings import Settings
from edgehar.errors import EdgeHarError, Reason
from edgehar.sources.serial_port import open_serial
from edgehar.sources.uri import typed
from edgehar.sources.usb_ports import board_ports
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.messages import BoardFlag, Hello

PATIENCE_S = 20.0
"""A board starts within a second and says hello then, and every five seconds after it."""
_RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class BootSymptom:
    """`pattern` in what the boot loader prints, and what it means."""

    pattern: str
    meaning: str
    hint: str


# Texts of the mask ROM and of ESP-IDF's boot loader.
BOOT_SYMPTOMS = (
    BootSymptom(
        r"waiting for download|DOWNLOAD\(",
        "the board waits in its boot loader",
        "press RST (without BOOT)",
    ),
    BootSymptom(
        r"[Bb]rownout",
        "the board's supply breaks down when the radio starts",
        "another cable or socket, or a hub with its own supply",
    ),
    BootSymptom(
        r"invalid header|No bootable app|not bootable|flash read err",
        "the boot loader finds no application that it can start",
        "flash everything: edgehar flash --erase ..., with a build directory or a merged image",
    ),
    BootSymptom(
        r"Guru Meditation|panic'ed|abort\(\) was called|rst:0x\w+ \((?:RTC|TG|SW|INT|TG0|TG1)\w*\)(?s:.*)rst:0x",
        "the firmware crashes and restarts",
        "report it with the lines that edgehar doctor prints",
    ),
)


def wait_for_hello(device: str, baud: int, *, serial_number: str = "", patience_s: float = PATIENCE_S) -> Hello:
    """The board's first hello frame on `device`.

    A board with USB of its own goes away when it restarts and may come back under another name: then it is looked for
    by `serial_number`. Raises EdgeHarError that says what came instead, and the next step.
    """
    decoder, received, deadline_s = FrameDecoder(), 0, time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        try:
            with open_serial(_where(device, serial_number), baud) as port:
                while time.monotonic() < deadline_s:
                    heard = port.read(max(1, port.in_waiting))
                    received += len(heard)
                    decoder.push(heard)
                    if decoder.hello is not None:
                        return decoder.hello
        except OSError:  # pyserial's SerialException is one: the board is restarting
            time.sleep(_RETRY_S)
    decoder.finish()  # a boot loader's lines end in no zero
    raise _silence(device, received, "\n".join(decoder.log), patience_s)


def check_hello(hello: Hello, settings: Settings, chip: str) -> None:
    """Raise EdgeHarError unless the board says what it was told. The channel is the network's where it joins one."""
    told = {"chip": chip, "id": settings.name, "role": settings.role.name.lower(), "rate": settings.rate_hz}
    said = {"chip": hello.chip, "id": hello.name, "role": hello.role.name.lower(), "rate": hello.rate_hz}
    if not settings.ssid:
        told["channel"], said["channel"] = settings.channel, hello.channel
    wrong = [f"{name} {said[name]!r} instead of {told[name]!r}" for name in told if said[name] != told[name]]
    if wrong:
        raise EdgeHarError(
            f"the board says {', '.join(wrong)}",
            reason=Reason.CONTRACT,
            hint="the firmware does not read these settings: edgehar firmware build, then flash again",
        )
    if not hello.csi:
        raise EdgeHarError(
            "the board's firmware has CSI switched off",
            reason=Reason.CONTRACT,
            hint="build it with firmware/esp32s3_csi/sdkconfig.defaults: edgehar firmware build",
        )


def hello_json(hello: Hello) -> dict[str, Any]:
    """What the board said, for scripts."""
    return {
        "chip": hello.chip,
        "firmware": hello.firmware,
        "id": hello.name,
        "role": hello.role.name.lower(),
        "channel": hello.channel,
        "rate_hz": hello.rate_hz,
        "csi": hello.csi,
        "simulated": BoardFlag.SIMULATED in hello.flags,
    }


def _where(device: str, serial_number: str) -> str:
    if not serial_number:
        return device
    return next((port.device for port in board_ports() if port.serial_number == serial_number), device)


def _silence(device: str, received: int, text: str, patience_s: float) -> EdgeHarError:
    for symptom in BOOT_SYMPTOMS:
        if re.search(symptom.pattern, text):
            return EdgeHarError(f"{device}: {symptom.meaning}", reason=Reason.VALUE, hint=symptom.hint)
    if received == 0:
        return EdgeHarError(
            f"{device}: flashed and verified, but nothing came from the board within {patience_s:g} s",
            reason=Reason.NOT_FOUND,
            hint=f"press RST; still nothing: {BOOT_BUTTON}",
        )
    return EdgeHarError(
        f"{device}: {received} bytes came within {patience_s:g} s, none of them a hello frame",
        reason=Reason.FORMAT,
        hint=f"is this edgehar's firmware, and --console-baud its speed? edgehar doctor {typed('csi', device)}",
    )
