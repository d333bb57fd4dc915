"""Bangle.js 2: acceleration at up to 50 Hz, numbered and dated by a program that is sent to the watch.

Espruino takes JavaScript over the Nordic UART Service. Bangle.on('accel') gives x, y, z in g, polled every 80 ms unless
Bangle.setPollInterval says otherwise (https://www.espruino.com/Reference#l_Bangle_accel); the accelerometer itself is
told its rate by Bangle.accelWr (Kionix KX023 of Bangle.js 2: registers CNTL1 0x18, ODCNTL 0x1B). Character 3 (Ctrl-C)
drops a line that somebody began, 16 at a line's start keeps the watch from echoing it
(https://www.espruino.com/Interfacing). About 2500 bytes a second get through
(https://www.espruino.com/Bangle.js+Data+Streaming, "Gotchas"): 50 Hz, not more.

The program answers with lines E<number>,<ms>,<x>,<y>,<z>: number modulo 65536, milliseconds since it began, thousandths
of g. It lives in the watch's memory until the next app is loaded: hold the button, or type load().
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe, Write
from edgehar.sources.ble_devices.lines import UART_RX, UART_TX, LineCutter
from edgehar.sources.ble_devices.samples import ACCEL, SampledDevice, SampleStream, nearest
from edgehar.sources.ble_devices.timing import PacketClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

NAME = "Bangle.js"
POLL_MS = {12.5: 80, 25.0: 40, 50.0: 20}
ODR = {12.5: 0, 25.0: 1, 50.0: 2}  # output data rate in ODCNTL
DEFAULT_HZ = 50.0
PIECE_BYTES = 20  # what a connection of the least MTU carries
PROGRAM = (
    "(function(){var B=Bangle;if(global.edgehar)B.removeListener('accel',edgehar);"
    "if(process.env.HWVERSION==2){B.accelWr(0x18,0x2c);B.accelWr(0x1b,%(odr)d);B.accelWr(0x18,0xac)}"
    "B.setPollInterval(%(poll_ms)d);var n=0,t=getTime();"
    "global.edgehar=function(a){Bluetooth.println('E'+[n,Math.round((getTime()-t)*1000),"
    "Math.round(a.x*1000),Math.round(a.y*1000),Math.round(a.z*1000)]);n=(n+1)&65535};"
    "B.on('accel',edgehar)})()"
)
SAMPLE = re.compile(rb"E(\d{1,5}),(\d{1,12}),(-?\d{1,6}),(-?\d{1,6}),(-?\d{1,6})")
NUMBERS, TIMES = 1 << 16, 1 << 40


def known(advertised: Advertised) -> bool:
    """By its name: Bangle.js 12ab."""
    return advertised.name.startswith(NAME)


def make(choice: Choice) -> Bangle:
    """One device."""
    return Bangle(choice)


class Bangle(SampledDevice):
    """A `BleDevice`. Its range is 4 g."""

    title = "Bangle.js 2"

    def __init__(self, choice: Choice) -> None:
        self.rate_hz = nearest(choice.rate_hz, tuple(POLL_MS), DEFAULT_HZ)
        clock = partial(PacketClock, bits=40, tick_ns=1_000_000, number_bits=16)
        super().__init__(SampleStream(choice, ACCEL, clock, self.rate_hz))
        self._lines = LineCutter(self._samples.refuse)

    def steps(self) -> Iterator[Step]:
        """Listen, then send the program in pieces."""
        yield Subscribe(UART_TX)
        program = PROGRAM % {"odr": ODR[self.rate_hz], "poll_ms": POLL_MS[self.rate_hz]}
        line = b"\x03\x10" + program.encode("ascii") + b"\n"
        for at in range(0, len(line), PIECE_BYTES):
            yield Write(UART_RX, line[at : at + PIECE_BYTES])

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each line of the program; what else the watch prints is left alone."""
        if uuid != UART_TX:
            return []
        chunks: list[Chunk] = []
        for line in self._lines.push(value):
            found = SAMPLE.fullmatch(line.lstrip(b">"))  # a prompt may stand before
            numbers = [int(field) for field in found.groups()] if found is not None else []
            if not numbers:
                self.counts[Cause.LOG] += len(line)
            elif numbers[0] >= NUMBERS or numbers[1] >= TIMES:
                self._samples.refuse(Cause.VALUE)
            else:
                number, ms, *mg = numbers
                chunks += self._samples.push([[axis / 1000 for axis in mg]], host_ns, ticks=ms, number=number)
        return chunks

    def interrupt(self) -> None:
        """The connection was lost here; the program starts anew with the next one."""
        super().interrupt()
        self._lines.interrupt()
