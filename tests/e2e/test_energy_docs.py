"""The energy page's Python runs, its meter keeps the contract, and it names every meter and marker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgehar.bench.meters import METERS, Mark
from edgehar.testing import check_meter

PAGE = (Path(__file__).parents[2] / "docs" / "energy.md").read_text()


def test_the_pages_meter_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    told: dict = {"open_bundle": None}
    # Where this machine has a battery, the page's last lines would measure for minutes.
    monkeypatch.setattr("pathlib.Path.exists", lambda _: False)
    exec(code[1], told)
    monkeypatch.undo()
    (tmp_path / "voltage_now").write_text("3700000\n")
    (tmp_path / "current_now").write_text("500000\n")
    blocks = check_meter(lambda: told["BatteryMeter"](tmp_path), wait=lambda _: None)
    assert blocks[0].values.tolist() == [[1850.0]]


def test_every_meter_and_marker_is_documented() -> None:
    assert set(METERS) == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    for mark in Mark:
        assert mark is Mark.UNKNOWN or f"| `{mark.value}` `{mark.name.lower()}` |" in PAGE
