"""The one place that knows bleak: listening for advertisements, and a connection, with troubles instead of its errors.

bleak reaches BlueZ (Linux), WinRT, Core Bluetooth and Android; its backends can be replaced, which tests do.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from edgehar.errors import MissingError, Reason
from edgehar.sources.ble.trouble import RadioError, Trouble, classify
from edgehar.sources.ble_devices.base import Advertised
from edgehar.wire.gatt import SERVICE_UUID

if TYPE_CHECKING:
    from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

ATT_HEAD_BYTES = 3  # of a notification; the rest of the MTU is its value
LEAST_MTU = 23  # what every device has
NOT_HEARD_DBM = -127  # BlueZ tells news of devices that it remembers, too
# What a connected sensor has: Generic Access, Generic Attribute, or our own profile.
SERVICES = ("1800", "1801", SERVICE_UUID)

AVAILABILITY: Mapping[str, Trouble] = MappingProxyType(
    {
        "NO_BLUETOOTH": Trouble.NO_ADAPTER,
        "NO_BLE_CENTRAL_ROLE": Trouble.NO_ADAPTER,
        "POWERED_OFF": Trouble.POWERED_OFF,
        "DENIED_BY_USER": Trouble.DENIED,
        "DENIED_BY_SYSTEM": Trouble.DENIED,
        "DENIED_BY_UNKNOWN": Trouble.DENIED,
    }
)
UNPAIRED_CODES = ("INSUFFICIENT_AUTHENTICATION", "INSUFFICIENT_ENCRYPTION", "INSUFFICIENT_ENCRYPTION_KEY_SIZE")


@dataclass(frozen=True, slots=True)
class Sighting:
    """An advertisement that was heard. `handle` is what the system needs to connect."""

    advertised: Advertised
    handle: Any
    host_ns: int


@dataclass(frozen=True, slots=True)
class Radio:
    """Bluetooth LE of this machine. adapter: such as hci1; "" is the system's choice.

    The backends are classes that bleak takes in place of the system's. Every method raises MissingError without bleak.
    """

    adapter: str = ""
    scanner_backend: type[BaseBleakScanner] | None = None
    client_backend: type[BaseBleakClient] | None = None

    @property
    def is_bluez(self) -> bool:
        """Whether BlueZ is behind it."""
        return sys.platform == "linux" and self.client_backend is None

    def ear(self, heard: Callable[[Sighting], None]) -> Ear:
        """What listens, once started; `heard` is called in the event loop."""

        def take(device: BLEDevice, data: AdvertisementData) -> None:
            if data.rssi != NOT_HEARD_DBM:
                heard(Sighting(_advertised(device, data), device, time.monotonic_ns()))

        bluez: BlueZScannerArgs = {"adapter": self.adapter} if self.adapter else {}
        with _troubles():
            return Ear(bleak_package().BleakScanner(take, bluez=bluez, backend=self.scanner_backend))

    def connection(self, sighting: Sighting, lost: Callable[[], None], *, timeout_s: float) -> Connection:
        """To the device that was sighted, not yet made; `lost` is called in the event loop when it breaks."""
        bluez: BlueZClientArgs = {"adapter": self.adapter} if self.adapter else {}
        with _troubles():
            client = bleak_package().BleakClient(
                sighting.handle, lambda _: lost(), timeout=timeout_s, bluez=bluez, backend=self.client_backend
            )
        return Connection(client)

    async def connected(self) -> list[Sighting]:
        """Devices that this machine holds a connection to already, and which therefore do not advertise.

        BlueZ keeps a connection when the program that made it was killed. [] where the system does not tell.
        """
        bleak = bleak_package()
        if not self.is_bluez or not hasattr(bleak, "BleakAdapter"):  # since bleak 3.1
            return []
        with _troubles():
            adapter = await bleak.BleakAdapter.get(bluez={"adapter": self.adapter} if self.adapter else {})
            found = await adapter.get_connected_devices(list(SERVICES))
        return [Sighting(_known(device), device, time.monotonic_ns()) for device in found]


class Ear:
    """A scan that can be started and stopped."""

    def __init__(self, scanner: Any) -> None:
        self._scanner = scanner

    async def start(self) -> None:
        """Raises RadioError."""
        with _troubles():
            await self._scanner.start()

    async def stop(self) -> None:
        """Raises RadioError."""
        with _troubles():
            await self._scanner.stop()


class Connection:
    """One connection to one device. Everything raises RadioError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def mtu(self) -> int | None:
        """Of the connection, bytes; None where the system does not tell (BlueZ before 5.62)."""
        with _troubles():
            found = [one for service in self._client.services for one in service.characteristics]
        told = [one.max_write_without_response_size for one in found if _tells_mtu(one)]
        return max(told) + ATT_HEAD_BYTES if told else None

    @property
    def is_up(self) -> bool:
        """Whether it stands, as far as the system knows."""
        return bool(self._client.is_connected)

    def has(self, uuid: str) -> bool:
        """Whether the device has this characteristic."""
        with _troubles():
            return self._client.services.get_characteristic(uuid) is not None

    async def make(self) -> None:
        """Connect and find out what the device has."""
        with _troubles():
            await self._client.connect()

    async def end(self) -> None:
        """Disconnect; harmless when it is not made."""
        with _troubles():
            await self._client.disconnect()

    async def read(self, uuid: str) -> bytes:
        """The value of a characteristic."""
        with _troubles():
            return bytes(await self._client.read_gatt_char(uuid))

    async def write(self, uuid: str, value: bytes, *, response: bool) -> None:
        """response: wait until the device confirms."""
        with _troubles():
            await self._client.write_gatt_char(uuid, value, response=response)

    async def subscribe(self, uuid: str, take: Callable[[bytes], None]) -> None:
        """`take` gets every notification or indication, in the event loop."""
        with _troubles():
            await self._client.start_notify(uuid, lambda _, value: take(bytes(value)))


def bleak_package() -> ModuleType:
    """Raises MissingError where it is not installed."""
    try:
        import bleak
    except ImportError:
        raise MissingError(
            "Bluetooth LE needs the package bleak",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[ble]'",
        ) from None
    return bleak


def _tells_mtu(characteristic: BleakGATTCharacteristic) -> bool:
    """BlueZ's properties of a characteristic come second in `obj`; other systems always tell."""
    behind = characteristic.obj
    bluez = isinstance(behind, tuple) and len(behind) == 2 and isinstance(behind[1], dict)
    return not bluez or "MTU" in behind[1]


def _known(device: BLEDevice) -> Advertised:
    """What BlueZ remembers of a device that it is connected to."""
    props = device.details.get("props", {})
    services = frozenset(uuid.lower() for uuid in props.get("UUIDs", ()))
    manufacturer = {company: bytes(value) for company, value in props.get("ManufacturerData", {}).items()}
    return Advertised(device.address, device.name or "", services, MappingProxyType(manufacturer))


def _advertised(device: BLEDevice, data: AdvertisementData) -> Advertised:
    return Advertised(
        address=device.address,
        name=data.local_name or device.name or "",
        services=frozenset(uuid.lower() for uuid in data.service_uuids),
        manufacturer=MappingProxyType(dict(data.manufacturer_data)),
        rssi_dbm=data.rssi,
    )


@contextlib.contextmanager
def _troubles() -> Iterator[None]:
    """Raise what bleak, D-Bus or the system raises as RadioError."""
    from bleak import exc

    try:
        yield
    except exc.BleakBluetoothNotAvailableError as error:
        raise RadioError(AVAILABILITY.get(error.reason.name, Trouble.OTHER), str(error.args[0])) from error
    except exc.BleakCharacteristicNotFoundError as error:
        raise RadioError(Trouble.NO_CHARACTERISTIC, str(error.char_specifier)) from error
    except exc.BleakDeviceNotFoundError as error:
        raise RadioError(Trouble.GONE, error.identifier) from error
    except exc.BleakGATTProtocolError as error:
        unpaired = error.code.name in UNPAIRED_CODES
        raise RadioError(Trouble.UNPAIRED if unpaired else Trouble.REFUSED, str(error.args[1])) from error
    except TimeoutError as error:
        raise RadioError(Trouble.TIMED_OUT) from error
    except exc.BleakError as error:
        raise RadioError(classify(str(error)), str(error)) from error
    except OSError as error:  # the bus's socket
        trouble = classify(str(error))
        missing = sys.platform == "linux" and trouble in (Trouble.OTHER, Trouble.GONE)
        raise RadioError(Trouble.NO_BUS if missing else trouble, str(error)) from error
    except (EOFError, AssertionError) as error:  # the bus's or the device's connection ended inside bleak
        raise RadioError(Trouble.ABORTED, str(error)) from error
