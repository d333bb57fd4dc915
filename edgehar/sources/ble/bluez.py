"""What edgehar asks of BlueZ past bleak: how adapters are; to forget a device, to restart an adapter that is stuck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgehar.sources.ble.radio import Radio, bleak_package
from edgehar.sources.ble.trouble import RadioError, Trouble, classify

BLUEZ = "org.bluez"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"


@dataclass(frozen=True, slots=True)
class AdapterState:
    """What BlueZ says of one adapter. name: such as hci0."""

    name: str
    address: str
    powered: bool
    central: bool
    discovering: bool


async def adapters() -> list[AdapterState]:
    """Those that BlueZ manages, in their order. Raises RadioError: no bus, no service, no permission."""
    found = []
    for path, interfaces in sorted((await _objects()).items()):
        props = interfaces.get(ADAPTER)
        if props is not None:
            told = {name: variant.value for name, variant in props.items()}
            found.append(
                AdapterState(
                    name=path.rsplit("/", 1)[1],
                    address=told.get("Address", ""),
                    powered=bool(told.get("Powered")),
                    central="central" in told.get("Roles", ("central",)),  # BlueZ before 5.50 names no roles
                    discovering=bool(told.get("Discovering")),
                )
            )
    return found


async def settled(radio: Radio) -> Radio:
    """With its adapter named: the first in order that is on. bleak alone would take any, each time another.

    Raises MissingError without bleak, RadioError where there is no such adapter.
    """
    bleak_package()
    if not radio.is_bluez or radio.adapter:
        return radio
    found = [adapter for adapter in await adapters() if adapter.central]
    if not found:
        raise RadioError(Trouble.NO_ADAPTER)
    on = [adapter.name for adapter in found if adapter.powered]
    if not on:
        raise RadioError(Trouble.POWERED_OFF, ", ".join(adapter.name for adapter in found))
    return replace(radio, adapter=on[0])


async def forget(address: str) -> bool:
    """Make BlueZ drop what it believes about a device, its list of services included; whether it did.

    A paired device is left alone: it would have to be paired again.
    """
    forgotten = False
    for path, interfaces in (await _objects()).items():
        props = interfaces.get(DEVICE)
        if props is None or props["Address"].value.lower() != address.lower():
            continue
        if "Paired" in props and props["Paired"].value:
            continue
        await _call(props["Adapter"].value, ADAPTER, "RemoveDevice", "o", [path])
        forgotten = True
    return forgotten


async def cycle_power(adapter: str) -> bool:
    """Switch an adapter off and on, which ends whatever it is stuck in; not where a device is connected through it."""
    from dbus_fast import Variant

    path = f"/org/bluez/{adapter}"
    devices = [interfaces[DEVICE] for interfaces in (await _objects()).values() if DEVICE in interfaces]
    if any(props["Adapter"].value == path and props["Connected"].value for props in devices):
        return False
    for on in (False, True):
        await _call(path, PROPERTIES, "Set", "ssv", [ADAPTER, "Powered", Variant("b", on)])
    return True


async def _objects() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = (await _call("/", OBJECTS, "GetManagedObjects", "", []))[0]
    return found


async def _call(path: str, interface: str, member: str, signature: str, body: list[Any]) -> list[Any]:
    from dbus_fast import AuthError, BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        try:
            await bus.connect()
        except AuthError as error:
            raise RadioError(Trouble.DENIED, str(error)) from None
        message = Message(BLUEZ, path, interface, member, signature=signature, body=body)
        reply = await bus.call(message)
    except (OSError, EOFError) as error:
        raise RadioError(Trouble.NO_BUS, str(error)) from None
    finally:
        bus.disconnect()
    if reply is None or reply.message_type is MessageType.ERROR:
        said = "" if reply is None else f"[{reply.error_name}] {' '.join(map(str, reply.body))}"
        raise RadioError(classify(said), said)
    answer: list[Any] = reply.body
    return answer
