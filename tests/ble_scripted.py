"""Bluetooth without a radio: bleak's own classes on a backend whose peripherals and faults are written down."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from edgehar.errors import InputError, Reason
from edgehar.sources.ble.kinds import Kind
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble_devices.base import Read, Subscribe, Write
from edgehar.types import Chunk, Flag, StreamSpec

SERVICE, DATA, CONFIG, CONTROL = (f"0000000{i}-1111-2222-3333-444444444444" for i in range(1, 5))
SAMPLE = struct.Struct("<IIhhh")
PERIOD_MS = 10
ADVERTISED_S = 0.01


@dataclass
class Peripheral:
    """faults: errors that the next attempts to connect raise, one each. mute: subscribed, it says nothing."""

    address: str
    name: str = "toy"
    services: tuple[str, ...] = (SERVICE,)
    rssi: int = -50
    mtu: int = 247
    version: int = 1
    lacks: tuple[str, ...] = ()
    faults: list[BaseException] = field(default_factory=list)
    mute: bool = False
    answers: bool = True
    on_air: bool = True
    seq: int = 0
    written: list[bytes] = field(default_factory=list)
    connections: int = 0
    client: BaseBleakClient | None = None

    def notify(self, n: int = 1, *, skip: int = 0, cut: int = 0) -> None:
        """`n` samples, one each; `skip` are lost before them; `cut` bytes short."""
        self.seq += skip
        for _ in range(n):
            if self.client is not None and DATA in self.client.callbacks and not self.mute:
                value = SAMPLE.pack(self.seq, self.seq * PERIOD_MS, self.seq % 1000, -1, 1)
                self.client.callbacks[DATA](bytearray(value[: len(value) - cut]))
            self.seq += 1

    def drop(self) -> None:
        """The link breaks."""
        client, self.client = self.client, None
        if client is not None:
            client.services = None
            client.connected = False
            client._disconnected_callback()


class Air:
    """Peripherals in range; `radio` hears them. scans: [now, most at once, begun]."""

    def __init__(self, *peripherals: Peripheral) -> None:
        self.peripherals = list(peripherals)
        self.scanning = self.most_scanning = self.scans = 0
        self.scanned_while_connecting = 0
        self.scan_faults: list[BaseException] = []
        self.stop_faults: list[BaseException] = []
        air = self

        class Scanner(BaseBleakScanner):
            def __init__(self, detection_callback, service_uuids, scanning_mode, **kwargs):
                super().__init__(detection_callback, service_uuids)
                self._task = None

            async def start(self):
                if air.scan_faults:
                    raise air.scan_faults.pop(0)
                self.seen_devices = {}
                air.scans += 1
                air.scanning += 1
                air.most_scanning = max(air.most_scanning, air.scanning)
                self._task = asyncio.create_task(self._advertise())

            async def stop(self):
                if self._task is not None:
                    self._task.cancel()
                    self._task = None
                    air.scanning -= 1
                if air.stop_faults:
                    raise air.stop_faults.pop(0)

            async def _advertise(self):
                while True:
                    await asyncio.sleep(ADVERTISED_S)
                    for one in air.peripherals:
                        if one.on_air and one.client is None:
                            data = AdvertisementData(one.name, {}, {}, list(one.services), None, one.rssi, ())
                            device = self.create_or_update_device(one.address, one.address, one.name, one, data)
                            self.call_detection_callbacks(device, data)

        class Client(BaseBleakClient):
            def __init__(self, address_or_ble_device, services=None, **kwargs):
                super().__init__(address_or_ble_device, **kwargs)
                self.peripheral = address_or_ble_device.details
                self.connected = False
                self.callbacks = {}

            mtu_size = 23
            name = "toy"

            @property
            def is_connected(self):
                return self.connected

            async def connect(self, pair, **kwargs):
                air.scanned_while_connecting += air.scanning
                one = self.peripheral
                one.connections += 1
                await asyncio.sleep(0.01)
                if one.faults:
                    raise one.faults.pop(0)
                if not one.on_air:
                    raise BleakDeviceNotFoundError(one.address, "gone")
                self.connected, one.client = True, self
                self.services = services = BleakGATTServiceCollection()
                service = BleakGATTService(None, 1, SERVICE)
                services.add_service(service)
                for handle, uuid in enumerate((DATA, CONFIG, CONTROL), 2):
                    if uuid not in one.lacks:
                        services.add_characteristic(
                            BleakGATTCharacteristic(
                                None, handle, uuid, ["read", "notify", "write"], lambda: one.mtu - 3, service
                            )
                        )

            async def disconnect(self):
                if self.peripheral.client is self:
                    self.peripheral.drop()

            async def read_gatt_char(self, characteristic, **kwargs):
                self._check()
                return bytearray([self.peripheral.version])

            async def write_gatt_char(self, characteristic, data, response):
                self._check()
                self.peripheral.written.append(bytes(data))
                if self.peripheral.answers and CONTROL in self.callbacks:
                    asyncio.get_running_loop().call_later(0.02, self.callbacks[CONTROL], bytearray(b"done"))

            async def start_notify(self, characteristic, callback, **kwargs):
                self._check()
                self.callbacks[characteristic.uuid] = callback

            def _check(self):
                if not self.connected:
                    raise BleakError("Not connected")

            async def pair(self, *args, **kwargs): ...

            async def unpair(self): ...

            async def read_gatt_descriptor(self, descriptor, **kwargs): ...

            async def write_gatt_descriptor(self, descriptor, data): ...

            async def stop_notify(self, characteristic): ...

        self.radio = Radio(scanner_backend=Scanner, client_backend=Client)


class Toy:
    """A kind of sensor with numbered samples of three channels, one a notification."""

    title = "toy"

    def __init__(self, choice):
        self.choice = choice
        self.counts: Counter[str] = Counter()
        self.spec = None
        self._next = None
        self._gap = False
        self.interrupted = self.answers = self.answered_before_data = 0

    def steps(self):
        yield Read(CONFIG)
        yield Subscribe(CONTROL)
        yield Write(CONTROL, b"start", answer=CONTROL)
        self.answered_before_data = self.answers
        yield Subscribe(DATA)

    def take(self, uuid, value, host_ns):
        if uuid == CONFIG:
            if value[0] != 1:
                raise InputError(
                    f"toy: firmware version {value[0]}, this release reads 1", reason=Reason.VERSION, hint="update it"
                )
            self.spec = StreamSpec("imu", ("x", "y", "z"), 100.0, ("g",) * 3, session_id=self.choice.session_id)
            return []
        if uuid == CONTROL:
            self.answers += 1
            return []
        if len(value) != SAMPLE.size:
            self.counts["wrong_length"] += 1
            self._gap = True
            return []
        seq, t_ms, *x = SAMPLE.unpack(value)
        gap = self._gap or (self._next is not None and seq != self._next)
        self._next, self._gap = seq + 1, False
        self.counts["samples"] += 1
        return [
            Chunk(
                self.spec, np.array([t_ms * 1_000_000]), np.array([host_ns]), np.array([seq]),
                np.array([x], np.float32), np.array([Flag.GAP_BEFORE if gap else 0], np.uint16),
            )
        ]  # fmt: skip

    def interrupt(self):
        self._gap = True
        self.interrupted += 1


TOY = Kind("toy", lambda advertised: SERVICE in advertised.services, Toy, least_mtu=3 + SAMPLE.size)
KINDS = {"toy": TOY}


def dbus_error(name: str, text: str = "") -> BleakDBusError:
    """As BlueZ's."""
    return BleakDBusError(f"org.bluez.Error.{name}", [text] if text else [])


def device(peripheral: Peripheral) -> BLEDevice:
    return BLEDevice(peripheral.address, peripheral.name, peripheral)
