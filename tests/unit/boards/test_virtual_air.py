"""The simulated controllers say what Linux waits for."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("bumble", reason="needs pip install 'edgehar[virtual]'")

from bumble import hci
from bumble.device import Device

from edgehar.boards.virtual_air import Air, AirController, address_of, local_device
from edgehar.wire.gatt import CONFIG_UUID
from tests.bumble_host import air, connected, until

OWN = hci.Address("C1:00:00:00:00:01")
ALL_EVENTS = bytes([0xFF] * 8)
NOT_ENHANCED = bytes([0x1F]) + bytes(7)


class Adapter:
    """A controller, and what it told its host."""

    def __init__(self, on_air, mask=ALL_EVENTS):
        self.heard = []
        self._controller = AirController("adapter", host_sink=self, link=on_air)
        self.ask(hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=mask))
        self.ask(hci.HCI_LE_Set_Random_Address_Command(random_address=OWN))

    def on_packet(self, packet):
        self.heard.append(hci.HCI_Packet.from_bytes(packet))

    def ask(self, command):
        self._controller.on_packet(bytes(command))

    def connect(self, address):
        self.ask(
            hci.HCI_LE_Create_Connection_Command(
                le_scan_interval=96,
                le_scan_window=96,
                initiator_filter_policy=0,
                peer_address_type=hci.Address.RANDOM_DEVICE_ADDRESS,
                peer_address=address,
                own_address_type=hci.Address.RANDOM_DEVICE_ADDRESS,
                connection_interval_min=24,
                connection_interval_max=40,
                max_latency=0,
                supervision_timeout=42,
                min_ce_length=0,
                max_ce_length=0,
            )
        )

    def cancel(self):
        self.ask(hci.HCI_LE_Create_Connection_Cancel_Command())

    def told(self, *kinds):
        return [one for one in self.heard if isinstance(one, kinds)]

    def answers(self, command):
        return [
            one.return_parameters.status
            for one in self.told(hci.HCI_Command_Complete_Event)
            if one.command_opcode == command.op_code
        ]


CONNECTED = (hci.HCI_LE_Connection_Complete_Event, hci.HCI_LE_Enhanced_Connection_Complete_Event)


async def advertising(on_air, name) -> Device:
    device = local_device(on_air, name)
    await device.power_on()
    await device.start_advertising(advertising_interval_min=20.0, advertising_interval_max=20.0)
    return device


@pytest.mark.parametrize(("mask", "event"), [(NOT_ENHANCED, CONNECTED[0]), (ALL_EVENTS, CONNECTED[1])])
def test_a_connection_is_told_by_the_event_that_was_asked_for(mask, event):
    async def act():
        on_air = Air()
        adapter = Adapter(on_air, mask)
        await advertising(on_air, "tag")
        adapter.connect(address_of("tag"))
        await until(lambda: adapter.told(*CONNECTED))
        await asyncio.sleep(0.1)
        return adapter.told(*CONNECTED)

    (told,) = asyncio.run(act())
    assert type(told) is event
    assert (told.status, told.role, told.peer_address) == (hci.HCI_SUCCESS, hci.Role.CENTRAL, address_of("tag"))
    assert (told.connection_interval, told.supervision_timeout) == (24, 42)


def test_an_attempt_to_connect_can_be_taken_back():
    async def act():
        on_air = Air()
        adapter = Adapter(on_air)
        adapter.connect(address_of("late"))
        adapter.cancel()
        await until(lambda: adapter.told(*CONNECTED))
        order = [type(one) for one in adapter.heard]
        await advertising(on_air, "late")
        await asyncio.sleep(0.1)
        adapter.cancel()
        await asyncio.sleep(0.02)
        return adapter, order

    adapter, order = asyncio.run(act())
    (told,) = adapter.told(*CONNECTED)
    assert told.status == hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
    assert order[-2:] == [hci.HCI_Command_Complete_Event, CONNECTED[1]]
    refused = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
    assert adapter.answers(hci.HCI_LE_Create_Connection_Cancel_Command) == [hci.HCI_SUCCESS, refused]


def test_an_adapter_that_was_switched_off_connects_no_more():
    async def act():
        on_air = Air()
        adapter = Adapter(on_air)
        adapter.connect(address_of("late"))
        adapter.ask(hci.HCI_Reset_Command())
        await advertising(on_air, "late")
        await asyncio.sleep(0.1)
        return adapter.told(*CONNECTED)

    assert asyncio.run(act()) == []


def test_a_host_that_takes_a_new_address_to_scan_is_heard_on_its_connections():
    async def act():
        async with air() as (central, _tag):
            host = await connected(central)
            other = hci.Address("21:00:00:00:00:01")
            await central.host.send_sync_command(hci.HCI_LE_Set_Random_Address_Command(random_address=other))
            async with asyncio.timeout(20):
                return await host.read(CONFIG_UUID)

    assert asyncio.run(act())
