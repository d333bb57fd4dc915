"""Rewrite the tables of docs/wire.md from the schema: python benchmarks/wire_page.py. A test proves them current."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgehar.wire.schema import Field, Schema, schema

PAGE = Path(__file__).parents[1] / "docs" / "wire.md"


def render(page: str) -> str:
    """The page with each part between `<!-- table NAME -->` and `<!-- end -->` written anew."""
    tables = _tables(schema())
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
    totals = {field.name for field in table.counters}
    parts = {"kinds": _rows(kinds), "counters": _fields(table.counters)}
    for kind in table.kinds.values():
        own = tuple(field for field in kind.fields if field.name not in totals)
        parts[kind.name] = _fields(own) + ("\n\nthen the counters." if len(own) < len(kind.fields) else "")
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
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
