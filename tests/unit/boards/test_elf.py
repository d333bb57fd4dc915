"""Our ELF reader against the toolchain's own `size` and `nm`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgehar.boards.elf import read_symbols, section_sizes
from edgehar.boards.targets import find_target
from edgehar.boards.toolchain import build_program
from edgehar.errors import InputError

SOURCE = """#include <stdint.h>
const int32_t table[100] = {1};
int32_t initialised[50] = {2};
int32_t zeroed[30];
static volatile int32_t at = 3;
__attribute__((noinline)) int32_t pick(int32_t i);
int32_t pick(int32_t i) { return table[i] + initialised[i] + zeroed[i]; }
int main(void) { return (int)pick(at); }
"""


@pytest.mark.parametrize("name", ["gcc-O3", "cortex-m4f", "rv32imc", "aarch64-a53"])
def test_sizes_and_symbols_are_the_toolchains(name: str, tmp_path: Path) -> None:
    target = find_target(name)
    install = target.missing()
    if install is not None:
        pytest.skip(f"tools for {name} are missing: {install}")
    source = tmp_path / "sizes.c"
    source.write_text(SOURCE)
    program = build_program(target, source, [], tmp_path)
    sizes = section_sizes(tmp_path / "0_sizes.o")
    assert (sizes.rodata, sizes.bss) == (400, 120)
    assert 204 <= sizes.data < 240  # `at`, and room before an aligned array
    assert (sizes.flash_bytes, sizes.ram_bytes) == (sizes.text + 400 + sizes.data, sizes.data + 120)
    prefix = target.compiler.removesuffix("gcc")
    table = subprocess.run([f"{prefix}size", "-A", tmp_path / "0_sizes.o"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in table.stdout.splitlines() if line.startswith(".text")]
    assert sizes.text == sum(int(row[1]) for row in rows)
    symbols = read_symbols(program.executable)
    names = subprocess.run([f"{prefix}nm", "-S", program.executable], capture_output=True, text=True, check=True)
    told = {
        row[3]: (int(row[0], 16), int(row[1], 16)) for row in map(str.split, names.stdout.splitlines()) if len(row) == 4
    }
    for symbol in ("table", "initialised", "zeroed", "pick"):
        assert (symbols[symbol].value & ~1, symbols[symbol].size) == told[symbol]


@pytest.mark.parametrize("content", [b"", b"MZ" + bytes(100), b"\x7fELF", b"\x7fELF\x01" + bytes(20), b"\x7fELF\x07"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a little-endian ELF"):
        section_sizes(path)
