"""Sections and symbols of little-endian ELF files, 32 and 64 bit: what a model takes in flash and RAM.

Layout: System V ABI, chapter 4 "Object Files" (generic ABI). Only the fields read here are named.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgehar.errors import InputError, Reason

SHT_SYMTAB, SHT_NOBITS = 2, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
STT_OBJECT, STT_FUNC = 1, 2
# (header, section header, symbol) of ELFCLASS32 and ELFCLASS64
LAYOUTS = {
    1: (struct.Struct("<16s2H5I6H"), struct.Struct("<10I"), struct.Struct("<3I2BH")),
    2: (struct.Struct("<16s2HI3QI6H"), struct.Struct("<2I4Q2I2Q"), struct.Struct("<I2BH2Q")),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes by kind of section. Flash holds text, rodata and the initial values of data; RAM holds data and bss."""

    text: int = 0
    rodata: int = 0
    data: int = 0
    bss: int = 0

    @property
    def flash_bytes(self) -> int:
        return self.text + self.rodata + self.data

    @property
    def ram_bytes(self) -> int:
        return self.data + self.bss

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.text + other.text, self.rodata + other.rodata, self.data + other.data, self.bss + other.bss)


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the section header table; `content` is empty where the file stores none."""

    name: str
    kind: int
    flags: int
    size: int
    link: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object. `section` indexes the file's sections; 0 where it is defined elsewhere."""

    name: str
    kind: int
    value: int
    size: int
    section: int


def section_sizes(path: Path) -> Sizes:
    """Bytes of an object file by kind. Unwinding tables are left out: C on a board is linked without them."""
    total = Sizes()
    for section in read_sections(path):
        if not section.flags & SHF_ALLOC or section.name.startswith((".eh_frame", ".ARM.ex", ".note")):
            continue
        if section.flags & SHF_EXECINSTR:
            total += Sizes(text=section.size)
        elif not section.flags & SHF_WRITE:
            total += Sizes(rodata=section.size)
        elif section.kind == SHT_NOBITS:
            total += Sizes(bss=section.size)
        else:
            total += Sizes(data=section.size)
    return total


def read_sections(path: Path) -> list[Section]:
    """All sections. Raises InputError when `path` is not a whole ELF file."""
    raw = path.read_bytes()
    try:
        header, entry, _ = LAYOUTS[raw[4]] if raw[:4] == b"\x7fELF" else LAYOUTS[0]
        fields = header.unpack_from(raw)
        offset, count, names_index = fields[6], fields[12], fields[13]
        rows = [entry.unpack_from(raw, offset + i * entry.size) for i in range(count)]
        names = raw[rows[names_index][4] :]
        return [
            Section(
                name=_text(names, row[0]),
                kind=row[1],
                flags=row[2],
                size=row[5],
                link=row[6],
                content=b"" if row[1] == SHT_NOBITS else raw[row[4] : row[4] + row[5]],
            )
            for row in rows
        ]
    except (struct.error, IndexError, KeyError, ValueError):
        raise InputError(
            f"{path}: is not a little-endian ELF file", reason=Reason.FORMAT, hint="name a compiler's output"
        ) from None


def read_symbols(path: Path) -> dict[str, Symbol]:
    """Functions and objects by name; static ones too, the last of equal names."""
    sections = read_sections(path)
    _, _, layout = LAYOUTS[path.read_bytes()[4]]
    return {
        symbol.name: symbol
        for table in sections
        if table.kind == SHT_SYMTAB
        for symbol in _table(table, sections[table.link].content, layout)
    }


def _table(table: Section, names: bytes, layout: struct.Struct) -> Iterator[Symbol]:
    wide = layout.size == 24
    for row in layout.iter_unpack(table.content):
        name, info, section, value, size = (
            (row[0], row[1], row[3], row[4], row[5]) if wide else (row[0], row[3], row[5], row[1], row[2])
        )
        if info & 15 in (STT_OBJECT, STT_FUNC):
            yield Symbol(_text(names, name), info & 15, value, size, section)


def _text(names: bytes, start: int) -> str:
    return names[start : names.index(b"\0", start)].decode()
