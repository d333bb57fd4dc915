"""Sensors that people own, through the whole of room 1: advertised, recognised, asked, answering, streaming.

What they answer is as documented (the adapters' own tests say by whom); bleak runs on a backend that plays them.
"""

import asyncio
import struct

import pytest

pytest.importorskip("bleak", reason="pip install 'edgehar[ble]'")

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

from edgehar.errors import InputError
from edgehar.sources.ble import scan
from edgehar.sources.ble.choose import AUTO, Wanted
from edgehar.sources.ble.kinds import kinds
from edgehar.sources.ble.link import Persistence
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble_devices import lines, movesense, pinetime, polar
from edgehar.sources.ble_devices.base import Choice
from edgehar.sources.imu_ble import BleSource
from edgehar.testing.source import check_chunks

S_NS = 1_000_000_000


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(scan, "SETTLE_S", 0.1)
    monkeypatch.setattr(scan, "WAIT_S", 0.02)


class Device:
    """What a scripted device has: readable values, and what it does when it is written to or subscribed to."""

    name = ""
    characteristics = ()

    def __init__(self):
        self.client = None
        self.streaming = None

    def read(self, uuid):
        raise NotImplementedError

    def written(self, uuid, value):
        """Nothing."""

    def notify(self, uuid, value):
        if self.client is not None and uuid in self.client.callbacks:
            self.client.callbacks[uuid](bytearray(value))

    def stream(self, uuid, values, every_s=0.005):
        async def send():
            for value in values:
                self.notify(uuid, value)
                await asyncio.sleep(every_s)

        self.streaming = asyncio.get_running_loop().create_task(send())


class PolarH10(Device):
    name = "Polar H10 821A5D29"
    characteristics = (polar.CONTROL, polar.DATA)

    def read(self, uuid):
        return bytes.fromhex("0F 05") + bytes(15)

    def written(self, uuid, value):
        if value == b"\x01\x02":
            self.notify(
                uuid, bytes.fromhex("F0 01 02 00 00 00 04 19 00 32 00 64 00 C8 00 01 01 10 00 02 03 02 00 04 00 08 00")
            )
        elif value[:2] == b"\x03\x02":
            self.notify(uuid, bytes.fromhex("F0 03 02 00 00"))
        else:
            self.notify(uuid, bytes.fromhex("F0 02 02 00 00 01"))
            # 36 samples at 200 Hz, the rate that was asked for
            head, body = struct.Struct("<BQB"), struct.pack("<3h", 1, 2, 1000) * 36
            self.stream(polar.DATA, (head.pack(2, S_NS + i * 180_000_000, 1) + body for i in range(1000)))


class MovesenseWithoutGyroscope(Device):
    name = "Movesense 174630000192"
    characteristics = (movesense.COMMAND, movesense.NOTIFY)

    def written(self, uuid, value):
        status = 200 if b"/Meas/Acc/" in value else 404
        self.notify(movesense.NOTIFY, b"\x01" + value[1:2] + status.to_bytes(2, "little"))
        if status == 200:
            body = struct.pack("<3f", 0, 0, 9.80665) * 4
            contents = (b"\x02" + value[1:2] + struct.pack("<I", 77 * i) + body for i in range(1000))
            self.stream(movesense.NOTIFY, contents)


class BangleJs(Device):
    name = "Bangle.js 12ab"
    characteristics = (lines.UART_RX, lines.UART_TX)

    def __init__(self):
        super().__init__()
        self.typed = b""

    def written(self, uuid, value):
        self.typed += value
        if self.typed.endswith(b"\n"):
            said = b"".join(b"E%d,%d,0,0,1000\r\n" % (i, 20 * i) for i in range(1000))
            self.stream(lines.UART_TX, (said[at : at + 20] for at in range(0, len(said), 20)))


class OldPineTime(Device):
    name = "InfiniTime"
    characteristics = (pinetime.FIRMWARE, pinetime.MOTION)

    def read(self, uuid):
        return b"1.13.0"


def radio_of(*devices):
    class Scanner(BaseBleakScanner):
        def __init__(self, detection_callback, service_uuids, scanning_mode, **kwargs):
            super().__init__(detection_callback, service_uuids)
            self.task = None

        async def start(self):
            self.seen_devices = {}
            self.task = asyncio.create_task(self.advertise())

        async def stop(self):
            if self.task is not None:
                self.task.cancel()

        async def advertise(self):
            while True:
                await asyncio.sleep(0.01)
                for i, device in enumerate(devices):
                    address = f"AA:BB:CC:DD:EE:{i:02X}"
                    data = AdvertisementData(device.name, {}, {}, [], None, -50, ())
                    found = self.create_or_update_device(address, address, device.name, device, data)
                    self.call_detection_callbacks(found, data)

    class Client(BaseBleakClient):
        mtu_size = 247
        name = "device"
        is_connected = True

        def __init__(self, address_or_ble_device, services=None, **kwargs):
            super().__init__(address_or_ble_device, **kwargs)
            self.device = address_or_ble_device.details
            self.callbacks = {}

        async def connect(self, pair, **kwargs):
            self.device.client = self
            self.services = services = BleakGATTServiceCollection()
            service = BleakGATTService(None, 1, "00001800-0000-1000-8000-00805f9b34fb")
            services.add_service(service)
            for handle, uuid in enumerate(self.device.characteristics, 2):
                properties = ["read", "notify", "write"]
                services.add_characteristic(
                    BleakGATTCharacteristic(None, handle, uuid, properties, lambda: 244, service)
                )

        async def disconnect(self):
            self.device.client = None
            if self.device.streaming is not None:
                self.device.streaming.cancel()

        async def read_gatt_char(self, characteristic, **kwargs):
            return bytearray(self.device.read(characteristic.uuid))

        async def write_gatt_char(self, characteristic, data, response):
            self.device.written(characteristic.uuid, bytes(data))

        async def start_notify(self, characteristic, callback, **kwargs):
            self.callbacks[characteristic.uuid] = callback

        async def pair(self, *args, **kwargs): ...

        async def unpair(self): ...

        async def read_gatt_descriptor(self, descriptor, **kwargs): ...

        async def write_gatt_descriptor(self, descriptor, data): ...

        async def stop_notify(self, characteristic): ...

    return Radio(scanner_backend=Scanner, client_backend=Client)


async def streamed(device, samples, **choice):
    wanted = Wanted(AUTO, kinds())
    source = BleSource(wanted, Choice(**choice), Persistence(patience_s=10.0), radio_of(device))
    chunks = []
    async with asyncio.timeout(20), source:
        async for chunk in source:
            chunks.append(chunk)
            if sum(map(len, chunks)) >= samples:
                break
    check_chunks(chunks, source.spec)
    return source, chunks


def test_a_polar_h10_is_asked_for_its_settings_and_streams():
    source, chunks = asyncio.run(streamed(PolarH10(), 360, rate_hz=190, placement="chest"))
    assert source.spec.rate_hz == 200
    assert source.spec.placement == "chest"
    assert chunks[0].x[0].tolist() == pytest.approx([0.001, 0.002, 1.0])
    assert source.counts["lost_unknown"] == 0


def test_a_movesense_without_gyroscope_streams_its_acceleration():
    source, chunks = asyncio.run(streamed(MovesenseWithoutGyroscope(), 80))
    assert source.spec.channels == ("acc_x", "acc_y", "acc_z")
    assert chunks[0].x[0].tolist() == pytest.approx([0, 0, 1])


def test_a_bangle_gets_its_program_whole():
    watch = BangleJs()
    source, _ = asyncio.run(streamed(watch, 60))
    assert watch.typed.count(b"\n") == 1
    assert b"setPollInterval(20)" in watch.typed
    assert source.counts["lost_unknown"] == 0


def test_a_pinetime_with_old_firmware_is_refused_by_name():
    with pytest.raises(InputError, match=r"InfiniTime 1\.13\.0"):
        asyncio.run(streamed(OldPineTime(), 1))
