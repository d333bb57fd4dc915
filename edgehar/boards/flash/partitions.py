"""The partition table: read from a build or made from partitions.csv, and asked where things belong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason

TABLE_OFFSET = 0x8000
TABLE_BYTES = 0x1000
"""The sector that holds the table; the table itself has 3,072 bytes."""
_APP, _DATA, _NVS = 0, 1, 2
_MAGIC = b"\xaa\x50"


@dataclass(frozen=True, slots=True)
class Partition:
    """`size_bytes` from `offset` on. `kind`: app, nvs or other."""

    name: str
    kind: str
    offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """A verified table: no overlaps, names unique. `binary` is what goes to TABLE_OFFSET."""

    partitions: tuple[Partition, ...]
    binary: bytes

    @property
    def flash_bytes(self) -> int:
        """Flash that the table needs: where its last partition ends."""
        return max((partition.end for partition in self.partitions), default=0)

    def settings(self) -> Partition:
        """The partition that holds the board's settings: `nvs`. Raises InputError where there is none."""
        for partition in self.partitions:
            if partition.kind == "nvs" and partition.name == "nvs":
                return partition
        raise InputError(
            "the partition table has no partition `nvs`, so the board could not be told its settings",
            reason=Reason.NOT_FOUND,
            hint="build the firmware with its own partitions.csv: edgehar firmware build",
        )

    def first_application(self) -> Partition:
        """Where an application goes that is flashed alone. Raises InputError where the table has none."""
        for partition in self.partitions:
            if partition.kind == "app":
                return partition
        raise InputError(
            "the partition table has no application partition",
            reason=Reason.NOT_FOUND,
            hint="build the firmware with its own partitions.csv: edgehar firmware build",
        )

    def check_fits(self, flash_bytes: int) -> None:
        """Raise EdgeHarError when the board's flash is smaller than the table needs."""
        if self.flash_bytes > flash_bytes:
            last = max(self.partitions, key=lambda partition: partition.end)
            raise EdgeHarError(
                f"partition `{last.name}` ends at 0x{last.end:x}, the board's flash at 0x{flash_bytes:x} "
                f"({flash_bytes / 2**20:g} MiB)",
                reason=Reason.CONTRACT,
                hint="build firmware for the smaller flash, or take a board with more",
            )


def is_table(content: bytes) -> bool:
    """Whether `content` begins as a binary partition table does."""
    return content[:2] == _MAGIC


def table_from_binary(content: bytes, name: str) -> PartitionTable:
    """Read and verify a table as it lies in flash, its MD5 row included. Raises InputError naming what is wrong."""
    return _checked(lambda library: library.from_binary(content), name)


def table_from_csv(text: str, name: str) -> PartitionTable:
    """Make a table from the text of a partitions.csv. Raises InputError with the line."""
    return _checked(lambda library: library.from_csv(text, partition_table_offset=TABLE_OFFSET), name)


def _checked(read: Callable[[Any], Any], name: str) -> PartitionTable:
    try:
        import esp_idf_defs
    except ImportError:
        raise MissingError(
            "partition tables need the package esp-idf-defs",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[flash]'",
        ) from None
    try:
        table = read(esp_idf_defs.PartitionTable)
        table.verify(partition_table_offset=TABLE_OFFSET)
        binary = table.to_binary()
    except (RuntimeError, UnicodeDecodeError) as error:  # its InputError is a RuntimeError
        raise InputError(
            f"{name}: {error}", reason=Reason.FORMAT, hint="mend partitions.csv and build the firmware again"
        ) from None
    partitions = tuple(Partition(row.name, _kind(row.type, row.subtype), row.offset, row.size) for row in table)
    return PartitionTable(partitions, binary)


def _kind(partition_type: int, subtype: int) -> str:
    if partition_type == _APP:
        return "app"
    return "nvs" if (partition_type, subtype) == (_DATA, _NVS) else "other"
