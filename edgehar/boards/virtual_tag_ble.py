"""A virtual tag on the air: the GATT profile of edgehar.wire.gatt, served by bumble, a Bluetooth stack in Python.

Two ways to be heard. Over a transport that leads to a real or emulated controller (`usb:0`, `hci-socket:0`,
`android-netsim`, `tcp-client:...`) the tags take that controller. Over `vhci` this machine's own Bluetooth stack gets a
virtual adapter, and the tags are in its range: no radio is involved at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from edgehar.boards.virtual_tag import BOOT_US, Message, VirtualTag
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.wire.gatt import gatt, samples_per_notification
from edgehar.wire.packet import wrap_packet

try:
    from bumble.core import UUID, AdvertisingData, BaseBumbleError
    from bumble.device import Connection, Device
    from bumble.gatt import Characteristic, CharacteristicValue, Service
    from bumble.hci import HCI_REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR
    from bumble.transport import open_transport
    from usb1 import USBError  # type: ignore[import-untyped]

    from edgehar.boards.virtual_air import Air, AirController, address_of, local_device
except ImportError:
    raise MissingError(
        "a virtual tag on the air needs the package bumble",
        reason=Reason.NOT_INSTALLED,
        hint="pip install 'edgehar[virtual]'",
    ) from None

TICK_S = 0.005
IDLE_S = 0.05  # while nobody is connected
PATIENCE_S = 10.0  # for a controller to answer
MOST_PENDING = 8  # packets that a controller may hold before samples wait in the tag's queue
LOCAL = "vhci"  # its other end is no controller but a host that lacks one
MOST_NAME_BYTES = 29  # of a scan response
ADVERTISES_EVERY_MS = 100.0


class BlePeripheral:
    """Serves one tag on one bumble Device, from `start` to `stop`. speed: stream seconds a wall second.

    `connections`: how often somebody connected. `appeared_s`: when it began to advertise, on the loop's clock.
    """

    def __init__(self, tag: VirtualTag, device: Device, *, speed: float = 1.0) -> None:
        self.tag = tag
        self.device = device
        self.connections = 0
        self.appeared_s = 0.0
        self._speed = speed
        self._connection: Connection | None = None
        self._listening = False  # whether the host has subscribed to samples
        self._drop_at_s = self._appears_s = float("inf")
        self._hidden_s = 0.0
        self._served = self._profile()

    @property
    def address(self) -> str:
        """Where a host finds it, as AA:BB:CC:DD:EE:FF."""
        return self.device.random_address.to_string(with_type_qualifier=False)

    @property
    def connected(self) -> bool:
        """Whether a host has the tag."""
        return self._connection is not None

    @property
    def mtu(self) -> int:
        """ATT MTU of the connection; 0 without one."""
        return 0 if self._connection is None else int(self._connection.att_mtu)

    async def start(self) -> None:
        """Switch on, advertise, and live from now on; `life` ends only with an error."""
        self.device.on("connection", self._on_connection)
        await self.device.power_on()
        await self._advertise()
        self.life = asyncio.ensure_future(self._live())

    async def stop(self) -> None:
        """Fall silent. Raises what ended the life before, if anything did."""
        while not self.life.done():  # bumble takes a cancellation for its own where the host goes at this moment
            self.life.cancel()
            await asyncio.wait({self.life}, timeout=10 * TICK_S)
        if not self.life.cancelled():
            await self.life

    async def _live(self) -> None:
        """Carry what the tag says, at the pace of the wall clock."""
        loop = asyncio.get_running_loop()
        began_s, boot = loop.time(), self.tag.boot
        while True:
            now_s = loop.time()
            for message in self.tag.advance(round((now_s - began_s) * self._speed * 1e6), room=self._room()):
                await self._carry(message)
            if self.tag.boot != boot:
                boot = self.tag.boot
                self.drop(BOOT_US / 1e6)
            if now_s >= self._drop_at_s:
                await self._end()
            elif self._connection is None and now_s >= self._appears_s:
                self._appears_s = float("inf")
                await self._advertise()
            await asyncio.sleep(TICK_S if self.connected else IDLE_S)

    def drop(self, hidden_s: float) -> None:
        """End the connection now, and be found again after a while of stream time."""
        self._drop_at_s, self._hidden_s = 0.0, hidden_s

    def truth(self) -> dict[str, Any]:
        """What became of the tag's samples, for a host's own account to be judged by."""
        counts = {"samples": 0, "sent": 0, **{str(key): count for key, count in self.tag.truth.items()}}
        stream_s = self.tag.now_us / 1e6
        about = {"name": self.tag.settings.name, "address": self.address, "stream_s": stream_s}
        return {**about, "starts": self.tag.boot, "connections": self.connections, **counts}

    # The GATT server.

    def _profile(self) -> dict[str, Characteristic[bytes]]:
        """Adds the services; their characteristics, by their names in the profile."""
        reads = {"config": self.tag.hello, "status": self.tag.heartbeat}
        served = {}
        for name, entry in gatt().characteristics.items():
            said = reads.get(name)
            value = CharacteristicValue(
                read=None if said is None else lambda _connection, said=said: self._packet(said()),
                write=self._on_command if entry.writes else None,
            )
            properties = Characteristic.Properties(0)
            for word in entry.properties:
                properties |= Characteristic.Properties[word.upper()]
            permissions = Characteristic.WRITEABLE if entry.writes else Characteristic.READABLE
            served[name] = Characteristic[bytes](entry.uuid, properties, permissions, value)
        served["data"].on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        level = bytes([self.tag.settings.battery_percent])
        battery = Characteristic[bytes](
            gatt().battery_level, Characteristic.Properties.READ, Characteristic.READABLE, level
        )
        self.device.add_service(Service(gatt().service, list(served.values())))
        self.device.add_service(Service(gatt().battery_service, [battery]))
        return served

    async def _advertise(self) -> None:
        """The service's UUID in the advertisement; the name, which may be long, in the scan response."""
        kinds = AdvertisingData
        flags = bytes([kinds.LE_GENERAL_DISCOVERABLE_MODE_FLAG | kinds.BR_EDR_NOT_SUPPORTED_FLAG])
        uuid = bytes(UUID(gatt().service))
        name = self.tag.settings.name.encode()[:MOST_NAME_BYTES]
        self.appeared_s = asyncio.get_running_loop().time()
        await self.device.start_advertising(
            advertising_data=bytes(
                kinds([(kinds.FLAGS, flags), (kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, uuid)])
            ),
            scan_response_data=bytes(kinds([(kinds.COMPLETE_LOCAL_NAME, name)])),
            advertising_interval_min=ADVERTISES_EVERY_MS,
            advertising_interval_max=ADVERTISES_EVERY_MS,
        )

    def _on_connection(self, connection: Connection) -> None:
        self._connection, self._listening = connection, False
        self.connections += 1
        connection.on("disconnection", self._on_disconnection)
        connection.on("connection_att_mtu_update", self._on_mtu)
        self._on_mtu()
        faults = self.tag.settings.faults
        if faults.drop_every_s:
            self._drop_at_s = asyncio.get_running_loop().time() + faults.drop_every_s / self._speed
            self._hidden_s = faults.drop_s

    def _on_mtu(self) -> None:
        self.tag.most_samples = samples_per_notification(self.mtu, self.tag.motion.channels)

    def _on_disconnection(self, _reason: int) -> None:
        self._connection, self._listening = None, False
        self._appears_s = asyncio.get_running_loop().time()

    def _on_subscription(self, _bearer: object, notifies: bool, _indicates: bool) -> None:
        self._listening = notifies
        if notifies:
            self.tag.wake()

    def _on_command(self, _connection: Connection, line: bytes) -> None:
        self.tag.hear(bytes(line))

    def _room(self) -> int:
        """Messages of samples that the link takes now."""
        if self._connection is None or not self._listening:
            return 0
        queue = self.device.host.get_data_packet_queue(self._connection.handle)
        return 0 if queue is None else max(0, MOST_PENDING - int(queue.pending))

    async def _carry(self, message: Message) -> None:
        carrier, packet = gatt().carrier(message[0]), self._packet(message)
        if self._connection is None:
            self.tag.lose(message)
        # A notification that does not fit would be cut short; what it would have said can be read.
        elif len(packet) <= gatt().link.value_bytes(self.mtu):
            await self.device.notify_subscriber(self._connection, self._served[carrier.name], packet)

    def _packet(self, message: Message) -> bytes:
        packet = wrap_packet(*message)
        claimed = self.tag.wire_version
        return packet if claimed is None else bytes([claimed]) + packet[1:]

    async def _end(self) -> None:
        self._drop_at_s = float("inf")
        if self._connection is not None:
            with contextlib.suppress(BaseBumbleError):  # the host may have gone at this moment
                await self._connection.disconnect(HCI_REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR)
        await self.device.stop_advertising()
        self._appears_s = asyncio.get_running_loop().time() + self._hidden_s / self._speed


@contextlib.asynccontextmanager
async def on_air(
    tags: Sequence[VirtualTag], transport: str, *, speed: float = 1.0
) -> AsyncIterator[list[BlePeripheral]]:
    """The tags, advertising and alive, on bumble's `transport`.

    UsageError for a transport that makes no sense, or for several tags on one controller; MissingError where it cannot
    be opened.
    """
    local = transport.partition(":")[0] == LOCAL
    if not local and len(tags) > 1:
        raise UsageError(
            f"{len(tags)} tags on {transport}", reason=Reason.VALUE, hint=f"one controller is one tag; or use {LOCAL}"
        )
    try:
        opened = await open_transport(transport)
    except (OSError, ImportError, USBError, BaseBumbleError) as error:
        if isinstance(error, ValueError):
            hint = f"{LOCAL}, or what bumble knows, such as usb:0, hci-socket:0, android-netsim, tcp-client:HOST:PORT"
            raise UsageError(f"transport {transport}: {error}", reason=Reason.FORMAT, hint=hint) from error
        raise MissingError(
            f"transport {transport}: {error}",
            reason=Reason.PERMISSION if isinstance(error, PermissionError) else Reason.NOT_FOUND,
            hint="sudo modprobe hci_vhci, and give yourself access: sudo chmod a+rw /dev/vhci"
            if local
            else "is the controller plugged in, free, and yours to use?",
        ) from error
    async with opened, contextlib.AsyncExitStack() as stack:
        if local:
            air = Air()
            AirController("edgehar", host_source=opened.source, host_sink=opened.sink, link=air)
            devices = [local_device(air, tag.settings.name) for tag in tags]
        else:
            name = tags[0].settings.name
            devices = [Device.with_hci(name, address_of(name), opened.source, opened.sink)]
        served = [BlePeripheral(tag, device, speed=speed) for tag, device in zip(tags, devices, strict=True)]
        for one in served:
            try:
                await asyncio.wait_for(one.start(), PATIENCE_S)
            except TimeoutError:
                raise MissingError(
                    f"transport {transport}: no controller answered within {PATIENCE_S:g} s",
                    reason=Reason.NOT_FOUND,
                    hint="start what is at its other end first",
                ) from None
            stack.push_async_callback(one.stop)
        yield served
