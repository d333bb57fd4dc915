"""Partition tables: made, read back, and refused before anything is written."""

from __future__ import annotations

import pytest

from edgehar.boards.flash.partitions import is_table, table_from_binary, table_from_csv
from edgehar.errors import EdgeHarError, InputError
from tests.esp_images import PARTITIONS

pytest.importorskip("esp_idf_defs", reason="needs pip install 'edgehar[flash]'")


def test_a_table_says_where_things_belong():
    table = table_from_csv(PARTITIONS, "partitions.csv")
    assert (table.settings().offset, table.settings().size_bytes) == (0x9000, 0x6000)
    assert table.first_application().offset == 0x10000
    assert table.flash_bytes == 0x190000
    assert is_table(table.binary)
    assert table_from_binary(table.binary, "table") == table


def test_overlapping_partitions_are_named():
    with pytest.raises(InputError, match=r"partitions\.csv: .*line 3.*overlap"):
        table_from_csv(PARTITIONS.replace("0xf000", "0xe000"), "partitions.csv")


def test_a_damaged_table_is_refused():
    damaged = bytearray(table_from_csv(PARTITIONS, "t").binary)
    damaged[4] ^= 1
    with pytest.raises(InputError, match="MD5"):
        table_from_binary(bytes(damaged), "table")


def test_a_table_without_settings_or_application_is_refused():
    lines = PARTITIONS.splitlines(keepends=True)
    with pytest.raises(InputError, match="no partition `nvs`"):
        table_from_csv("".join(lines[:1] + lines[2:]), "t").settings()
    with pytest.raises(InputError, match="no application"):
        table_from_csv("".join(lines[:3]), "t").first_application()


def test_a_table_must_fit_the_flash():
    table = table_from_csv(PARTITIONS + "store, data, 0x40, , 6M\n", "t")
    table.check_fits(8 << 20)
    with pytest.raises(EdgeHarError, match=r"`store` ends at 0x790000, the board's flash at 0x400000 \(4 MiB\)"):
        table.check_fits(4 << 20)
