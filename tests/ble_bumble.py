"""bleak's own classes on a bumble central: all that lies between a source and a virtual tag but the system's stack."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble.core import AdvertisingData, BaseBumbleError
from bumble.device import Peer
from bumble.hci import Address

from edgehar.sources.ble.radio import Radio
from tests.bumble_host import str_uuid

NAME = AdvertisingData.COMPLETE_LOCAL_NAME
SERVICES = AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
MTU = 247


def bumble_radio(central, mtu: int = MTU) -> Radio:
    """What hears and connects through this bumble device."""

    class Scanner(BaseBleakScanner):
        def __init__(self, detection_callback, service_uuids, scanning_mode, **kwargs):
            super().__init__(detection_callback, service_uuids)
            self._told = {}

        async def start(self):
            self.seen_devices = {}
            central.on("advertisement", self._on_advertisement)
            await central.start_scanning(active=True, filter_duplicates=False)

        async def stop(self):
            central.remove_listener("advertisement", self._on_advertisement)
            await central.stop_scanning()

        def _on_advertisement(self, advertisement):
            address = advertisement.address.to_string(with_type_qualifier=False)
            told = self._told.setdefault(address, SimpleNamespace(name=None, services=[]))
            told.name = advertisement.data.get(NAME) or told.name
            told.services = [str_uuid(uuid) for uuid in advertisement.data.get(SERVICES) or ()] or told.services
            data = AdvertisementData(told.name, {}, {}, told.services, None, advertisement.rssi, ())
            device = self.create_or_update_device(address, address, told.name, advertisement.address, data)
            self.call_detection_callbacks(device, data)

    class Client(BaseBleakClient):
        name = "bumble"
        mtu_size = 23

        def __init__(self, address_or_ble_device, services=None, **kwargs):
            super().__init__(address_or_ble_device, **kwargs)
            self._address: Address = address_or_ble_device.details
            self._connection = self._peer = None

        @property
        def is_connected(self):
            return self._connection is not None

        async def connect(self, pair, **kwargs):
            try:
                self._connection = await central.connect(self._address, timeout=self._timeout)
            except (BaseBumbleError, TimeoutError) as error:
                raise BleakDeviceNotFoundError(self.address, str(error)) from None
            self._connection.on("disconnection", self._on_disconnection)
            self._peer = Peer(self._connection)
            async with self._asked():
                await self._peer.request_mtu(mtu)
                await self._peer.discover_services()
                found = BleakGATTServiceCollection()
                for one in self._peer.services:
                    service = BleakGATTService(one, one.handle, str_uuid(one.uuid))
                    found.add_service(service)
                    await one.discover_characteristics()
                    for its in one.characteristics:
                        found.add_characteristic(
                            BleakGATTCharacteristic(its, its.handle, str_uuid(its.uuid), [], lambda: mtu - 3, service)
                        )
            self.services = found

        async def disconnect(self):
            if self._connection is not None:
                with contextlib.suppress(BaseBumbleError):
                    await self._connection.disconnect()

        async def read_gatt_char(self, characteristic, **kwargs):
            async with self._asked():
                return bytearray(await characteristic.obj.read_value())

        async def write_gatt_char(self, characteristic, data, response):
            async with self._asked():
                await characteristic.obj.write_value(bytes(data), with_response=response)

        async def start_notify(self, characteristic, callback, **kwargs):
            async with self._asked():
                await self._peer.subscribe(characteristic.obj, lambda value: callback(bytearray(value)))

        def _on_disconnection(self, _reason):
            self._connection, self.services = None, None
            self._disconnected_callback()

        @contextlib.asynccontextmanager
        async def _asked(self):
            """Raises as bleak does; an answer that a broken link never gives ends the question."""
            if self._connection is None:
                raise BleakError("Not connected")
            gone = asyncio.Event()
            asking = asyncio.current_task()
            connection = self._connection

            def end(_reason):
                gone.set()
                asking.cancel()

            connection.on("disconnection", end)
            try:
                yield
            except asyncio.CancelledError:
                if gone.is_set():
                    asking.uncancel()
                    raise BleakError("disconnected") from None
                raise
            except BaseBumbleError as error:
                raise BleakError(str(error)) from None
            finally:
                connection.remove_listener("disconnection", end)

        async def pair(self, *args, **kwargs): ...

        async def unpair(self): ...

        async def read_gatt_descriptor(self, descriptor, **kwargs): ...

        async def write_gatt_descriptor(self, descriptor, data): ...

        async def stop_notify(self, characteristic): ...

    return Radio(scanner_backend=Scanner, client_backend=Client)
