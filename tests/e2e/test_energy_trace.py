"""The C program for lab meters, on a board that a test plays: its pin and its power become the figures put into it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgehar.cli.app import main
from edgehar.demo import BUNDLE
from edgehar.export import export_bundle

SOURCE = Path(__file__).parents[2] / "examples" / "c" / "energy.c"
FLAGS = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Werror"]

# 3 mW asleep; a sample takes 1 ms at 9 mW. The header is that of nRF Connect's export, at 3 V.
BOARD = r"""
#include <stdio.h>
#include "eh_labels.h"
void board_pin(int high);
void board_sleep_ms(unsigned milliseconds);
void board_sample(float sample[EH_CHANNELS]);
static int pin;
static unsigned now_ms, row;
static void record(unsigned milliseconds, double power_mw)
{
    if (now_ms == 0) {
        puts("Timestamp(ms),Current(uA),D0-D7");
    }
    for (unsigned i = 0; i < milliseconds; i++) {
        printf("%u,%.3f,%d0000000\n", now_ms++, 1000.0 * power_mw / 3.0, pin);
    }
}
void board_pin(int high) { pin = high; }
void board_sleep_ms(unsigned milliseconds) { record(milliseconds, 3.0); }
void board_sample(float sample[EH_CHANNELS])
{
    for (int i = 0; i < EH_CHANNELS; i++) {
        sample[i] = (float)((row * 7u + (unsigned)i * 3u) % 13u) / 13.0F;
    }
    row++;
    record(1, 9.0);
}
"""


def test_a_recorded_board_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    export_bundle(BUNDLE, tmp_path / "out", targets=["c"])
    c = tmp_path / "out" / "c"
    (tmp_path / "board.c").write_text(BOARD)
    sources = [SOURCE, tmp_path / "board.c", c / "eh_model.c", c / "eh_stream.c"]
    subprocess.run([compiler, *FLAGS, "-I", c, *sources, "-o", tmp_path / "energy", "-lm"], check=True)
    trace = tmp_path / "recorded.csv"
    with trace.open("w") as file:
        subprocess.run([tmp_path / "energy"], stdout=file, check=True)
    capsys.readouterr()
    address = f"csv:{trace}?decisions=200&voltage_v=3"
    assert main(["bench", "energy", str(BUNDLE), "--meter", address, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["split"]["idle_mw"]["value"] == pytest.approx(3.0, rel=1e-3)
    # 32 samples a hop, 1 ms each, 6 mW above idle. The samples of the very first window are in the first idle stretch,
    # which the median leaves out.
    assert told["split"]["decision_mj"]["value"] == pytest.approx(32 * 6e-3, rel=1e-2)
    assert [window["work"] for window in told["windows"]].count("decisions") == 5
