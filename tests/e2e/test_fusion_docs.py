"""The examples of docs/fusion.md run, and its alignment figures are those of the committed rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from factories import AXES, random_bundle

from edgehar.bundle import save_bundle
from tests.page_shell import shell

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fusion.md").read_text()


def test_two_simulated_sensors_run_record_and_align(tmp_path):
    random = random_bundle("fusion", window=50, hop=24, channels=12)
    contract = random.manifest.contract
    channels = tuple(f"{sensor.name}.{axis}" for sensor in contract.sensors for axis in AXES)
    contract = replace(contract, channels=channels, units=(("g",) * 3 + ("radps",) * 3) * 2)
    save_bundle(replace(random, manifest=replace(random.manifest, contract=contract)), tmp_path / "two.edgehar")
    (script,) = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "both.mcap" in block]
    done = shell(script, tmp_path, stop_at_errors=True)
    assert done.returncode == 0, done.stderr
    assert "wrist+leg  SIMULATED" in done.stdout
    assert "both.mcap: SIMULATED" in done.stdout
    assert "right to 2.5 ms" in done.stdout


def test_a_radio_and_a_wrist_share_a_line(capsys):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "AlignedSource" in block]
    exec(code, {})
    said = capsys.readouterr().out
    assert re.search(r"2\d\d rows of 120 channels at 50 Hz SIMULATED", said), said
    assert "watch clock" in said


@pytest.mark.parametrize("row", ["align.p99_ms", "align.tap.p99_ms", "align.tap_50hz.p99_ms", "align.unknown.p99_ms"])
def test_the_pages_figures_are_the_rows(row):
    lines = (ROOT / "benchmarks" / "results" / "align.jsonl").read_text().splitlines()
    (found,) = [told for told in map(json.loads, lines) if told["id"] == row]
    assert f"| `{row}` |" in PAGE
    (line,) = [line for line in PAGE.splitlines() if f"| `{row}` |" in line]
    assert f"{found['value']:.2f} +- {found['std']:.2f}" in line
    assert f"{found['worst']:.2f}" in line
    if "bound_ms" in found:
        assert f"{found['bound_ms']:.1f}" in line
