"""A simulated air: bumble's link and controllers, made to say what a real controller says to a host that is not bumble.

Linux believes a controller. What bumble 0.0.236 leaves out costs it dearly: a connection is given up after four
seconds, while it is in use, since the event that was announced for it never came; from then on BlueZ cannot end it.
"""

from __future__ import annotations

import asyncio
import hashlib

from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.device import Device
from bumble.hci import (
    HCI_LE_ENHANCED_CONNECTION_COMPLETE_EVENT,
    Address,
    HCI_ErrorCode,
    HCI_LE_Advertising_Report_Event,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_LE_Enhanced_Connection_Complete_Event,
    HCI_LE_Extended_Advertising_Report_Event,
    HCI_Packet,
    HCI_Reset_Command,
    HCI_StatusReturnParameters,
    Role,
)
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

SCAN_RESPONSES = (
    HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP,
    HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE,
)
ENHANCED_BIT = 1 << (HCI_LE_ENHANCED_CONNECTION_COMPLETE_EVENT - 1)  # of the LE event mask


class Air(LocalLink):
    """What is said over a connection comes from the address that it was made with.

    bumble's link takes the sender's address of the moment, and Linux takes a new one for every scan: what it says to
    one device while it looks for another would reach nobody.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """From one end of a connection to the other."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if transport != PhysicalTransport.LE or connection is None or receiver is None:
            super().send_acl_data(sender_controller, destination_address, transport, data)
        else:
            own = connection.self_address
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, own, transport, data)


class AirController(Controller):
    """A simulated controller whose host hears scan responses, hears of connections by the event that it asked for, and
    may take back an attempt to connect (Core Specification, Vol 4, Part E, 7.7.65.10 and 7.8.13).
    """

    def send_hci_packet(self, packet: HCI_Packet) -> None:
        """To this controller's host."""
        if isinstance(packet, HCI_LE_Extended_Advertising_Report_Event | HCI_LE_Advertising_Report_Event):
            self._answer_scan(packet)
        elif isinstance(packet, HCI_LE_Connection_Complete_Event) and self.le_event_mask & ENHANCED_BIT:
            packet = _enhanced(packet)
        super().send_hci_packet(packet)

    def on_hci_le_create_connection_cancel_command(
        self, _command: HCI_LE_Create_Connection_Cancel_Command
    ) -> HCI_StatusReturnParameters:
        """The host is told that it did not come about; bumble's controller goes on connecting instead."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return HCI_StatusReturnParameters(HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        ended = HCI_LE_Connection_Complete_Event(
            status=HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)  # after the command was answered
        return HCI_StatusReturnParameters(HCI_ErrorCode.SUCCESS)

    def on_hci_reset_command(self, command: HCI_Reset_Command) -> HCI_StatusReturnParameters:
        """A host that switches its adapter off scans no more and connects no more."""
        self.pending_le_connection = None
        self.le_scan_enable = False
        return super().on_hci_reset_command(command)

    def _answer_scan(self, event: HCI_LE_Extended_Advertising_Report_Event | HCI_LE_Advertising_Report_Event) -> None:
        """With what the advertiser answers; bumble repeats the advertisement."""
        for report in event.reports:
            if report.event_type in SCAN_RESPONSES and self.link is not None:
                answering = self.link.find_le_controller(report.address)
                sets = answering.advertising_sets.values() if answering is not None else ()
                report.data = next((bytes(one.scan_response_data) for one in sets if one.enabled), report.data)


def _enhanced(event: HCI_LE_Connection_Complete_Event) -> HCI_LE_Enhanced_Connection_Complete_Event:
    """The same, with the resolvable addresses that nobody uses here."""
    return HCI_LE_Enhanced_Connection_Complete_Event(
        status=event.status,
        connection_handle=event.connection_handle,
        role=event.role,
        peer_address_type=event.peer_address_type,
        peer_address=event.peer_address,
        local_resolvable_private_address=Address.ANY_RANDOM,
        peer_resolvable_private_address=Address.ANY_RANDOM,
        connection_interval=event.connection_interval,
        peripheral_latency=event.peripheral_latency,
        supervision_timeout=event.supervision_timeout,
        central_clock_accuracy=event.central_clock_accuracy,
    )


def local_device(air: Air, name: str) -> Device:
    """A bumble Device with a simulated controller of its own on a simulated air."""
    controller = AirController(name, link=air)
    return Device(name=name, address=address_of(name), host=Host(controller, AsyncPipeSink(controller)))


def address_of(name: str) -> Address:
    """A static random address, the same for the same name (Core Specification, Vol 6, Part B, 1.3.2.1)."""
    drawn = bytearray(hashlib.sha256(name.encode()).digest()[:6])
    drawn[0] |= 0xC0
    return Address(":".join(f"{byte:02X}" for byte in drawn))
