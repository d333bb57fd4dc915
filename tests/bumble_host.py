"""The host's end of a simulated air: a bumble central that drives a `BleDevice` step by step, in one process."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from functools import partial

from bumble.core import UUID
from bumble.device import Peer

from edgehar.boards.virtual_air import Air, address_of, local_device
from edgehar.boards.virtual_tag import TagSettings, VirtualTag
from edgehar.boards.virtual_tag_ble import BlePeripheral
from edgehar.boards.virtual_tag_faults import parse_tag_faults
from edgehar.boards.virtual_tag_motion import open_motion
from edgehar.sources.ble_devices.base import Read, Subscribe
from edgehar.wire.gatt import gatt


class Host:
    """One connection. `found` has the characteristics by UUID; what is notified goes to `notified`."""

    def __init__(self, connection):
        self.connection = connection
        self.peer = Peer(connection)
        self.found = {}
        self.notified = []  # (uuid, value)
        self.gone = asyncio.Event()
        connection.on("disconnection", lambda _reason: self.gone.set())

    async def discover(self, mtu=247):
        if mtu:
            await self.peer.request_mtu(mtu)
        await self.peer.discover_services()
        for service in self.peer.services:
            await service.discover_characteristics()
            for characteristic in service.characteristics:
                self.found[str_uuid(characteristic.uuid)] = characteristic
        return self

    async def read(self, uuid):
        return bytes(await self.found[uuid].read_value())

    async def write(self, uuid, value):
        await self.found[uuid].write_value(value, with_response=True)

    async def subscribe(self, uuid, take=None):
        take = take or (lambda value: self.notified.append((uuid, value)))
        await self.peer.subscribe(self.found[uuid], lambda value: take(bytes(value)))

    def _take(self, device, chunks, uuid, value):
        chunks += device.take(uuid, value, time.monotonic_ns())

    async def drive(self, device, chunks):
        """Take the device's steps; the Chunks it makes of what comes go to `chunks`."""
        for step in device.steps():
            if isinstance(step, Read):
                self._take(device, chunks, step.uuid, await self.read(step.uuid))
            elif isinstance(step, Subscribe):
                await self.subscribe(step.uuid, partial(self._take, device, chunks, step.uuid))
            else:
                await self.write(step.uuid, step.value)
                await asyncio.sleep(0.02)  # for the answer


def str_uuid(uuid):
    """As gatt.toml writes it."""
    text = uuid.to_hex_str("-").lower()
    return f"0000{text}-0000-1000-8000-00805f9b34fb" if len(text) == 4 else text


@asynccontextmanager
async def air(*faults, speed=5.0, motion=None, on_samples=None, names=("tag",), **settings):
    """(central device, peripherals) on one simulated air."""
    link = Air()
    settings = {"rate_hz": 100, "waits": True, "queue_samples": 8192, **settings}
    tags = [
        VirtualTag(
            TagSettings(name, faults=parse_tag_faults(faults), **settings), motion or open_motion(seed=i), on_samples
        )
        for i, name in enumerate(names)
    ]
    peripherals = [BlePeripheral(tag, local_device(link, tag.settings.name), speed=speed) for tag in tags]
    central = local_device(link, "central")
    await central.power_on()
    for peripheral in peripherals:
        await peripheral.start()
    try:
        yield central, *peripherals
    finally:
        for peripheral in peripherals:
            await peripheral.stop()


async def connected(central, name="tag", mtu=247):
    """A Host that has found everything."""
    return await Host(await central.connect(address_of(name), timeout=60)).discover(mtu)


async def until(condition, patience_s=60.0):
    """Wait until it holds."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110  what it asks about has no event of its own
            await asyncio.sleep(0.005)


SERVICE = UUID(gatt().service)
