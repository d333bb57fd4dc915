"""`ppk2:PORT?voltage_mv=N[&mode=ampere|source][&decisions=N&duration_s=S&pins=1|2]`: Nordic Power Profiler Kit II.

With `decisions`, logic pins say what the measured board does: D0 is low when idle and high while deciding; with
`pins=2`, D0 + 2 D1 is a Mark. Without, the kit feeds or measures the machine that runs the benchmark.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgehar.bench.meters import ppk2_wire as wire
from edgehar.bench.meters.address import MeterAddress, pins_of
from edgehar.bench.meters.base import Block, MeterFacts, Quantity
from edgehar.errors import InputError, MissingError, Reason, UsageError

MODES = {"ampere": wire.AMPERE_METER, "source": wire.SOURCE_METER}
LOWEST_MV, HIGHEST_MV = 800, 5000
PATIENCE_S = 2.0
FEED = "ppk2:/dev/ttyACM0?voltage_mv=3300&mode=source"
EMPTY = Block(np.empty(0, np.int64), np.empty((0, 1)))


def from_address(address: MeterAddress) -> Ppk2Meter:
    """See the head of this file. The voltage is needed: an ampere meter does not measure it."""
    address.only("voltage_mv", "mode", "decisions", "duration_s", "pins")
    if not address.locator or "voltage_mv" not in address.query:
        raise MissingError(
            "ppk2: its port and the device's voltage are not given",
            reason=Reason.NOT_FOUND,
            hint=f"needs a Power Profiler Kit II (ls /dev/serial/by-id) and edgehar[serial]: --meter '{FEED}'",
        )
    mode = address.query.get("mode", "ampere")
    if mode not in MODES:
        raise UsageError(f"ppk2: mode '{mode}'", reason=Reason.VALUE, hint=f"choose from: {', '.join(MODES)}")
    return Ppk2Meter(
        address.locator,
        round(address.number("voltage_mv", 0.0, low=LOWEST_MV, high=HIGHEST_MV)),
        mode=mode,
        decisions=address.number("decisions", 0.0, low=0.0),
        duration_s=address.number("duration_s", 60.0, low=1.0),
        pins=pins_of(address),
    )


class Ppk2Meter:
    """100,000 samples a second. What the operating system's buffer cannot hold is lost: read ten times a second."""

    def __init__(
        self,
        port: str,
        millivolts: int,
        *,
        mode: str = "ampere",
        decisions: float = 0.0,
        duration_s: float = 60.0,
        pins: int = 1,
    ) -> None:
        self._port_name = port
        self._millivolts = millivolts
        self._mode = mode
        self._decisions = decisions
        self._duration_s = duration_s
        self._pin_mask = (1 << pins) - 1
        self._port: Any = None
        self._decoder: wire.Ppk2Decoder | None = None
        self._began_ns = 0
        self._over = False

    @property
    def facts(self) -> MeterFacts:
        return MeterFacts(
            name="ppk2",
            title=f"Nordic Power Profiler Kit II, {self._mode} mode, {self._millivolts} mV",
            rails=("output",),
            summed=("output",),
            quantity=Quantity.POWER,
            resolution=0.0,  # 0.2 uA to 1 mA by range, says the user guide
            interval_s=0.05,
            measures="all that the kit's output feeds; current is measured, voltage is as stated",
            omits="what else feeds the device, USB above all; the decoder was not checked against a device",
            decisions=self._decisions,
        )

    def __enter__(self) -> Self:
        self._port = _open_port(self._port_name)
        try:
            self._command(wire.AVERAGE_STOP)
            time.sleep(0.05)
            self._port.reset_input_buffer()
            self._command(wire.GET_METADATA)
            calibration = wire.parse_metadata(self._metadata())
            self._command(wire.SET_POWER_MODE, MODES[self._mode])
            self._write(wire.set_voltage(self._millivolts))
            self._command(wire.DEVICE_RUNNING, 1)
            self._decoder = wire.Ppk2Decoder(calibration, self._millivolts / 1e3)
            self._command(wire.AVERAGE_START)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._began_ns = time.monotonic_ns()
        self._over = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling. The device stays fed: what it runs goes on."""
        port, self._port = self._port, None
        if port is not None:
            try:
                port.write(bytes((wire.AVERAGE_STOP,)))
            except OSError:
                pass  # unplugged: there is nothing left to stop
            finally:
                port.close()

    def read(self) -> Block:
        """All samples since the last call; with `decisions`, those of the whole duration, once."""
        if not self._decisions:
            return self._block(self._received())
        if self._over:
            return EMPTY
        self._over = True
        pieces = []
        while time.monotonic_ns() - self._began_ns < self._duration_s * 1e9:
            pieces.append(self._received())
        return self._block(b"".join(pieces))

    def _block(self, data: bytes) -> Block:
        if self._decoder is None:
            raise UsageError("ppk2 is not open", reason=Reason.VALUE, hint="use it in a 'with' block")
        before = self._decoder.lost
        samples = self._decoder.push(data)
        milliwatts = samples.current_a * self._millivolts
        marks = (samples.pins & self._pin_mask).astype(np.int8) if self._decisions else None
        t_ns = self._began_ns + samples.place * wire.SAMPLE_NS
        return Block(t_ns, milliwatts[:, None], marks, self._decoder.lost - before)

    def _received(self) -> bytes:
        """Bytes that have come, at least one sample."""
        data = bytes(self._port.read(4))
        if len(data) < 4:
            raise InputError(
                f"ppk2: no samples for {PATIENCE_S:g} s on {self._port_name}",
                reason=Reason.TRUNCATED,
                hint="check the cable; the kit has two ports, try the other",
            )
        return data + bytes(self._port.read(self._port.in_waiting))

    def _metadata(self) -> str:
        text = b""
        until_s = time.monotonic() + PATIENCE_S
        while b"END" not in text and time.monotonic() < until_s:
            text += self._port.read(self._port.in_waiting or 1)
        return text.decode("ascii", "replace")

    def _command(self, *content: int) -> None:
        self._write(bytes(content))

    def _write(self, content: bytes) -> None:
        self._port.write(content)


def _open_port(name: str) -> Any:
    try:
        import serial
    except ImportError:
        raise MissingError(
            "ppk2: the package pyserial is not installed",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[serial]'",
        ) from None
    try:
        return serial.Serial(name, 115_200, timeout=PATIENCE_S)
    except (OSError, serial.SerialException) as error:
        raise MissingError(
            f"ppk2: {name} cannot be opened: {error}",
            reason=Reason.NOT_FOUND,
            hint="check the port (ls /dev/serial/by-id), and its group: sudo usermod -aG dialout $USER",
        ) from None
