"""An independent reader of NVS images, written from ESP-IDF's "NVS: Storage Internals"; every checksum is checked.

A page has 4,096 bytes: a header of 32 (state u32, sequence u32, version u8, 19 unused, CRC-32 of bytes 4 to 27), a
bitmap of two bits an entry (11 empty, 10 written, 00 erased), 126 entries of 32. An entry: namespace u8, type u8,
span u8, chunk u8, CRC-32 of the rest, key (16), value (8). A string's value: size u16, 2 unused, CRC-32 of its bytes,
which fill the following span - 1 entries.
"""

from __future__ import annotations

import struct
import zlib

PAGE, ENTRY, ENTRIES = 4096, 32, 126
INTEGERS = {0x01: "B", 0x11: "b", 0x02: "H", 0x12: "h", 0x04: "I", 0x14: "i", 0x08: "Q", 0x18: "q"}
STRING = 0x21
ACTIVE, FULL, EMPTY = 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFFF


class NvsError(Exception):
    pass


def crc(content: bytes) -> int:
    return zlib.crc32(content, 0xFFFFFFFF)


def read_nvs(image: bytes) -> dict[str, dict[str, int | str]]:
    """Namespace -> key -> value."""
    names: dict[int, str] = {}
    values: dict[int, dict[str, int | str]] = {}
    if not image or len(image) % PAGE:
        raise NvsError(f"{len(image)} bytes are no whole pages")
    for start in range(0, len(image), PAGE):
        page = image[start : start + PAGE]
        state = struct.unpack_from("<I", page)[0]
        if state == EMPTY:
            if page != b"\xff" * PAGE:
                raise NvsError(f"page at {start:#x} is empty by its header and is not")
            continue
        if state not in (ACTIVE, FULL) or struct.unpack_from("<I", page, 28)[0] != crc(page[4:28]):
            raise NvsError(f"page header at {start:#x}")
        _read_page(page, names, values)
    return {names[index]: found for index, found in values.items()}


def _read_page(page: bytes, names: dict[int, str], values: dict[int, dict[str, int | str]]) -> None:
    bitmap, i = int.from_bytes(page[32:64], "little"), 0
    while i < ENTRIES:
        state = bitmap >> (2 * i) & 3
        entry = page[64 + ENTRY * i : 64 + ENTRY * (i + 1)]
        if state == 3 and entry != b"\xff" * ENTRY:
            raise NvsError(f"entry {i} is empty by the bitmap and is not")
        if state != 2:
            i += 1
            continue
        namespace, kind, span, _, checksum = struct.unpack_from("<BBBBI", entry)
        if checksum != crc(entry[:4] + entry[8:]):
            raise NvsError(f"checksum of entry {i}")
        key = entry[8:24].split(b"\0")[0].decode()
        if kind in INTEGERS:
            value: int | str = struct.unpack_from("<" + INTEGERS[kind], entry, 24)[0]
        elif kind == STRING:
            size, _, expected = struct.unpack_from("<HHI", entry, 24)
            body = page[64 + ENTRY * (i + 1) :][:size]
            if len(body) != size or crc(body) != expected:
                raise NvsError(f"checksum of the string {key}")
            value = body.removesuffix(b"\0").decode()
        else:
            raise NvsError(f"type {kind:#x} of {key}")
        if namespace == 0:
            names[int(value)] = key
        else:
            values.setdefault(namespace, {})[key] = value
        i += span
