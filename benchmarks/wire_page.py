"""Rewrite the tables of docs/wire.md and docs/ble-imu.md from the schema: python benchmarks/wire_page.py.

A test proves them current.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgehar.wire.gatt import Profile, gatt, samples_per_notification
from edgehar.wire.packet import PACKET_HEAD_BYTES
from edgehar.wire.schema import Field, Schema, schema

DOCS = Path(__file__).parents[1] / "docs"
PAGE, BLE_PAGE = DOCS / "wire.md", DOCS / "ble-imu.md"
PACKETS = ("imu", "imu_hello", "imu_heartbeat", "reply")  # kinds whose packets the page on Bluetooth LE shows
MTUS = (23, 36, 100, 185, 247, 517)


def render(page: str) -> str:
    """The page with each part between `<!-- table NAME -->` and `<!-- end -->` written anew."""
    tables = _tables(schema()) | _gatt_tables(schema(), gatt())
    return re.sub(
        r"(<!-- table (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{tables[found[2]]}\n\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def _tables(table: Schema) -> dict[str, str]:
    kinds = [("id", "kind", "bytes before the tail", "tail", "what")]
    kinds += [
        (str(k.id), f"`{k.name}`", str(k.head_bytes), k.tail or "none", k.doc)
        for k in sorted(table.kinds.values(), key=lambda kind: kind.id)
    ]
    parts = {"kinds": _rows(kinds), "counters": _fields(table.counters)}
    for kind in table.kinds.values():
        counts = kind.fields[-len(table.counters) :] == table.counters
        own = kind.fields[: -len(table.counters)] if counts else kind.fields
        parts[kind.name] = _fields(own) + ("\n\nthen the counters." if counts else "")
    bits = [("in", "bit", "name")]
    bits += [(block, str(bit), f"`{name}`") for block, flags in table.flags.items() for name, bit in flags.items()]
    commands = [("line", "device", "number", "word", "what")]
    for command in table.commands.values():
        number = "{} to {}".format(*command.number) if command.number else ""
        number = ", ".join(map(str, command.among)) or number
        devices = "all" if len(command.devices) == len(table.devices) else ", ".join(command.devices)
        commands.append((f"`{command.name}`", devices, number, ", ".join(command.words), command.doc))
    axes = [("row", "x, y and z are the sensor's"), *((str(i), f"`{row}`") for i, row in enumerate(table.axes))]
    return parts | {"flags": _rows(bits), "commands": _rows(commands), "axes": _rows(axes)}


def _gatt_tables(table: Schema, profile: Profile) -> dict[str, str]:
    """Of the page on Bluetooth LE; offsets of packets count from their version."""
    rows = [("", "UUID", "properties", "value", "what")]
    rows.append(("service", f"`{profile.service}`", "", "", "in the advertisement"))
    for row in profile.characteristics.values():
        value = ", ".join(f"`{name}`" for name in row.values)
        rows.append((row.name, f"`{row.uuid}`", ", ".join(row.properties), value, row.doc))
    rows.append(("Battery Service", f"`{profile.battery_service}`", "", "", ""))
    rows.append(("Battery Level", f"`{profile.battery_level}`", "read, notify", "u8", "percent"))
    link, heads = profile.link, {name: PACKET_HEAD_BYTES + table.kinds[name].head_bytes for name in PACKETS}
    room = [("MTU", "bytes of a value", "samples of 6 channels", "of 3 channels", "config", "status")]
    for mtu in MTUS:
        holds = link.value_bytes(mtu)
        notified = ["notified" if heads[name] <= holds else "to be read" for name in ("imu_hello", "imu_heartbeat")]
        samples = [str(samples_per_notification(mtu, channels)) for channels in (6, 3)]
        room.append((str(mtu), str(holds), samples[0], samples[1], notified[0], notified[1]))
    packets = {}
    for name in PACKETS:
        head = (Field("version", "u8", "of the schema: 1"), Field("kind", "u8", f"{table.kinds[name].id}"))
        packets[f"packet_{name}"] = _fields((*head, *table.kinds[name].fields))
    return {"gatt": _rows(rows), "room": _rows(room), **packets}


def _fields(fields: tuple[Field, ...]) -> str:
    rows = [("at", "type", "field", "range", "what")]
    at = 0
    for field in fields:
        rows.append((str(at), field.type, f"`{field.name}`", _range(field), field.doc))
        at += field.size_bytes
    return _rows(rows)


def _range(field: Field) -> str:
    if field.min is not None and field.max is not None:
        return f"{field.min} to {field.max}"
    if field.max is not None:
        return f"up to {field.max}"
    return "" if field.min is None else f"from {field.min}"


def _rows(rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(_lines(rows))


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    yield from (f"| {' | '.join(row)} |" for row in body)


if __name__ == "__main__":
    for page in (PAGE, BLE_PAGE):
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
