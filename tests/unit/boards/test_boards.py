"""The board table loads, is complete and honest; a model that does not fit is refused with a way out."""

from __future__ import annotations

import json
import re
from importlib import resources

import numpy as np
import pytest

from edgehar.boards.boards import board, load_boards, parse_boards
from edgehar.boards.fit import _kept_share, check_fit
from edgehar.boards.targets import TARGETS
from edgehar.cli.app import main
from edgehar.errors import EdgeHarError, InputError, UsageError
from edgehar.export.c.matrices import store, store_events

TEXT = resources.files("edgehar.boards").joinpath("boards.toml").read_text(encoding="utf-8")
TABLE = TEXT[TEXT.index("[nrf52840]") : TEXT.index("[apollo3]")]


def test_the_boards_that_are_promised() -> None:
    assert set(load_boards()) >= {
        "pi-zero-2w", "pi-4", "pi-5", "jetson-nano", "jetson-orin-nano", "esp32-s3", "nrf52840", "apollo3", "stm32h743",
        "mps3-an547",
    }  # fmt: skip
    assert {"Cortex-M4F", "Cortex-M7", "Cortex-M55"} <= {b.cpu for b in load_boards().values()}


@pytest.mark.parametrize("name", load_boards())
def test_a_board_is_complete(name: str) -> None:
    b = board(name)
    assert b.source
    assert b.ram_bytes in (b.model_ram_bytes * 4, b.model_ram_bytes * 8)
    assert b.flash_bytes is None or b.flash_bytes == 4 * b.model_flash_bytes
    assert {"tflite", "c"} <= set(b.formats)
    if b.flash_bytes is not None:  # a microcontroller: tflite-micro takes no dynamic-range file, ONNX has no runtime
        assert "onnx" not in b.formats
        assert "dynamic" not in b.formats["tflite"]
    assert b.target is None or b.target in TARGETS


@pytest.mark.parametrize("name", [n for n, b in load_boards().items() if b.target in ("cortex-m4f", "cortex-m7")])
def test_a_board_and_its_emulator_are_built_alike(name: str) -> None:
    b = board(name)
    assert set(b.flags) <= set(TARGETS[b.target].flags)
    assert b.compiler == TARGETS[b.target].compiler


@pytest.mark.parametrize(("typo", "meant"), [("nrf52480", "nrf52840"), ("pi4", "pi-4"), ("ESP32S3", "esp32-s3")])
def test_a_typo_is_answered_with_the_nearest_name(typo: str, meant: str) -> None:
    with pytest.raises(UsageError, match=typo) as caught:
        board(typo)
    assert caught.value.hint == f"did you mean '{meant}'?"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("dsp = true", "dsp = 1"), "dsp must be a bool"),
        (("ram_bytes = 262_144", "ram_bytes = 0"), "ram_bytes must be above 0"),
        (("model_flash_bytes = 262_144", "model_flash_bytes = 2_097_152"), "model_flash_bytes"),
        (("clock_hz", "clock_mhz"), "clock_hz must be a int"),
        (("dsp = true", "dsp = true\ncolour = 1"), "colour must be absent"),
        (('tflite = ["float32", ', 'tflite = ["float64", '), "formats must be"),
        (("dsp = true", "dsp = true\nenergy = { nj_per_instruction = 0.1, conditions = '3 V' }"), "source must be"),
        (("dsp = true", "dsp = "), "Invalid value"),
    ],
)
def test_a_bad_table_is_refused_by_field(change: tuple[str, str], says: str) -> None:
    assert change[0] in TABLE
    with pytest.raises(InputError, match=says):
        parse_boards(TABLE.replace(*change, 1), "mine.toml")


def test_an_energy_figure_with_source_and_conditions_loads() -> None:
    energy = "energy = { nj_per_instruction = 0.1, source = 'a paper, table 2', conditions = '3 V, from flash' }"
    loaded = parse_boards(TABLE.replace("dsp = true", f"dsp = true\n{energy}"), "mine.toml")["nrf52840"]
    assert loaded.energy is not None
    assert loaded.json()["energy"]["conditions"] == "3 V, from flash"


def test_a_model_that_fits_passes() -> None:
    check_fit(board("nrf52840"), 200_000, 60_000, "c", "float32")
    check_fit(board("pi-4"), 60 << 20, 1 << 20, "onnx", "int8")


@pytest.mark.parametrize(
    ("flash", "dtype", "options"),
    [
        (600_000, "float32", "--quant int8x16 "),
        (300_000, "int8", "--prune 0.8 --quant int8 "),
        (1_300_000, "float32", "--prune 0.8 --quant int8x16 "),
        (900_000, "int8", "--prune 0.9 --quant int8 "),
    ],
)
def test_too_much_flash_is_answered_with_the_mildest_compression(flash: int, dtype: str, options: str) -> None:
    with pytest.raises(
        EdgeHarError, match=f"{flash} bytes of flash, a model may take 262144 of the part's 1048576"
    ) as e:
        check_fit(board("nrf52840"), flash, 10_000, "c", dtype, bundle="walk.edgehar")
    source = "walk.edgehar" if dtype == "float32" else "FLOAT_BUNDLE"
    assert e.value.hint.startswith(f"edgehar compress {source} --")
    assert (source == "walk.edgehar") or e.value.hint.endswith("FLOAT_BUNDLE is what walk.edgehar was quantised from")
    assert options in e.value.hint
    estimate = int(re.search(r"about (\d+) bytes of flash", e.value.hint)[1])
    assert estimate <= board("nrf52840").model_flash_bytes


def test_code_does_not_shrink_with_the_weights() -> None:
    with pytest.raises(EdgeHarError) as caught:
        check_fit(board("nrf52840"), 300_000, 10_000, "c", "float32", weight_bytes=10_000)
    assert "no compression brings it under" in caught.value.hint


def test_pruning_is_not_advised_for_a_format_that_stores_zeros() -> None:
    with pytest.raises(EdgeHarError) as caught:
        check_fit(board("nrf52840"), 1_300_000, 10_000, "tflite", "float32")
    assert "--prune 0" not in caught.value.hint
    assert "--target c with --prune" in caught.value.hint


@pytest.mark.parametrize("density", [0.5, 0.2, 0.1, 0.05])
@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_what_zeros_save_is_not_overestimated(density: float, dtype: type) -> None:
    generator = np.random.default_rng(0)
    w = np.where(generator.random((128, 256)) < density, generator.integers(1, 100, (128, 256)), 0).astype(dtype)
    most = _kept_share(density, np.dtype(dtype).name) * w.nbytes * 1.05
    assert store(w).bytes <= most
    assert store_events(w).bytes <= most


def test_a_quantised_state_can_become_narrower() -> None:
    with pytest.raises(EdgeHarError) as caught:
        check_fit(board("nrf52840"), 1000, 100_000, "c", "int8x16", bundle="b.edgehar")
    assert caught.value.hint.startswith("edgehar compress FLOAT_BUNDLE --quant int8 ")


def test_too_much_ram_needs_a_smaller_state() -> None:
    with pytest.raises(EdgeHarError, match="200000 bytes of RAM, a model may take 65536") as caught:
        check_fit(board("nrf52840"), 1000, 200_000, "c", "float32")
    assert "--quant int8 " in caught.value.hint
    with pytest.raises(EdgeHarError) as caught:
        check_fit(board("nrf52840"), 1000, 200_000, "c", "int8")
    assert "train a smaller model" in caught.value.hint


def test_linux_boards_hold_the_model_in_ram() -> None:
    with pytest.raises(EdgeHarError, match="bytes of memory"):
        check_fit(board("pi-zero-2w"), 40 << 20, 30 << 20, "tflite", "float32")


@pytest.mark.parametrize(("fmt", "dtype"), [("onnx", "int8"), ("tflite", "dynamic"), ("c", "float64")])
def test_what_a_board_cannot_run_is_refused(fmt: str, dtype: str) -> None:
    with pytest.raises(UsageError, match=f"does not run {fmt} {dtype}") as caught:
        check_fit(board("apollo3"), 1, 1, fmt, dtype)
    assert "tflite float32/int8/int8x16" in caught.value.hint


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["nrf52840"]["flash_bytes"] == 1 << 20
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(told)
    assert all(line.split()[0] in told for line in lines[1:])
