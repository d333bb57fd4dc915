"""Nordic Thingy:53 with the nRF Machine Learning application: acceleration at 50 Hz; neither number nor time.

In its data-forwarding mode (red LED; hold SW3 for five seconds) it sends Edge Impulse's data forwarder protocol over
the Nordic UART Service: a line for each sample, acceleration x, y, z in m/s2 with two decimals, commas between.
https://docs.nordicsemi.com/bundle/ncs-latest/page/nrf/applications/machine_learning/app_desc.html, "Forwarding data";
https://docs.edgeimpulse.com/tools/clis/edge-impulse-cli/data-forwarder, "Protocol". The link must be paired. The
firmware that it is sold with samples into its flash and streams nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgehar.sources.ble_devices.base import Advertised, Choice, Step, Subscribe
from edgehar.sources.ble_devices.lines import UART_TX, LineCutter
from edgehar.sources.ble_devices.samples import ACCEL, G_MPS2, SampledDevice, SampleStream
from edgehar.sources.ble_devices.timing import ArrivalClock
from edgehar.types import Chunk
from edgehar.wire.frames import Cause

NAMES = ("EI Thingy53", "Thingy53 ML")
RATE_HZ = 50  # sampling_period_ms = 20 in the application's sensor_manager_def.h
LEAST_MTU = 32  # it does not cut a line, and sends none that does not fit
NUMBER = rb"(-?\d{1,4}\.\d{1,6})"
SAMPLE = re.compile(rb"%s,%s,%s" % (NUMBER, NUMBER, NUMBER))


def known(advertised: Advertised) -> bool:
    """By its name."""
    return advertised.name in NAMES


def make(choice: Choice) -> Thingy53:
    """One device."""
    return Thingy53(choice)


class Thingy53(SampledDevice):
    """A `BleDevice`. Rate and range are the application's."""

    title = "Nordic Thingy:53 (nRF Machine Learning)"

    def __init__(self, choice: Choice) -> None:
        super().__init__(SampleStream(choice, ACCEL, ArrivalClock, RATE_HZ))
        self._lines = LineCutter(self._samples.refuse)

    def steps(self) -> Iterator[Step]:
        """It sends as soon as somebody listens."""
        yield Subscribe(UART_TX)

    def take(self, uuid: str, value: bytes, host_ns: int) -> list[Chunk]:
        """A sample for each line."""
        if uuid != UART_TX:
            return []
        chunks: list[Chunk] = []
        for line in self._lines.push(value):
            found = SAMPLE.fullmatch(line)
            if found is None:
                self._samples.refuse(Cause.VALUE)
            else:
                chunks += self._samples.push([[float(axis) / G_MPS2 for axis in found.groups()]], host_ns)
        return chunks

    def interrupt(self) -> None:
        """The connection was lost here."""
        super().interrupt()
        self._lines.interrupt()
