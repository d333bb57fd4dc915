"""A simulated tag on an adapter of bluezoo's: python tests/bluezoo_tag.py NAME ADDRESS [WIRE_VERSION]; own process."""

from __future__ import annotations

import asyncio
import sys
import time

from bluez_peripheral.advert import Advertisement
from bluez_peripheral.gatt.characteristic import CharacteristicFlags, characteristic
from bluez_peripheral.gatt.service import Service
from bluez_peripheral.util import Adapter, get_message_bus

from edgehar.boards.virtual_tag import TagSettings, VirtualTag
from edgehar.boards.virtual_tag_motion import ModelMotion
from edgehar.sources.cyclic import load_model
from edgehar.wire.gatt import CONFIG_UUID, CONTROL_UUID, DATA_UUID, SERVICE_UUID, STATUS_UUID, gatt
from edgehar.wire.packet import wrap_packet

MTU = 247


class TagService(Service):
    """The profile, answered by a VirtualTag."""

    def __init__(self, tag: VirtualTag, version: int) -> None:
        super().__init__(SERVICE_UUID, True)
        self.tag = tag
        self.version = version
        self.replies = []

    def packet(self, message):
        packet = wrap_packet(*message)
        return bytes([self.version or packet[0]]) + packet[1:]

    @characteristic(DATA_UUID, CharacteristicFlags.NOTIFY)
    def data(self, options):
        return b""

    @characteristic(CONFIG_UUID, CharacteristicFlags.READ | CharacteristicFlags.NOTIFY)
    def config(self, options):
        return self.packet(self.tag.hello())

    @characteristic(STATUS_UUID, CharacteristicFlags.READ | CharacteristicFlags.NOTIFY)
    def status(self, options):
        return self.packet(self.tag.heartbeat())

    @characteristic(CONTROL_UUID, CharacteristicFlags.WRITE | CharacteristicFlags.NOTIFY)
    def control(self, options):
        return b""

    @control.setter
    def control(self, value, options):
        self.replies.append(self.tag.command(bytes(value)))

    def carry(self, message):
        name = gatt().carrier(message[0]).name
        getattr(self, name).changed(self.packet(message))

    @property
    def listened(self):
        return self.data._notify


async def main(name: str, address: str, version: int = 0) -> None:
    bus = await get_message_bus()
    adapters = {await one.get_address(): one for one in await Adapter.get_all(bus)}
    adapter = adapters[address]
    tag = VirtualTag(TagSettings(name=name, rate_hz=100), ModelMotion(load_model(), seed=1))
    tag.most_samples = 10
    service = TagService(tag, version)
    await service.register(bus, adapter=adapter)
    await Advertisement(name, [SERVICE_UUID], 0, 600).register(bus, adapter)
    print("advertising", flush=True)
    began_s = time.monotonic()
    while True:
        for message in tag.advance(round((time.monotonic() - began_s) * 1e6), room=4 if service.listened else 0):
            service.carry(message)
        while service.replies:
            service.carry(service.replies.pop(0))
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])))
