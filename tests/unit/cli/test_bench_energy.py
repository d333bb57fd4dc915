"""`edgehar bench energy`: exit codes, JSON that says what kind of figure it is, refusals before anything takes time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgehar.cli.app import main
from edgehar.demo import BUNDLE

DEMO = str(BUNDLE)


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """Idling at 3 mW, preprocessing at 5, deciding at 9 mW: 1 s and 20 decisions each, three times."""
    kinds = {"idle": 3, "dsp": 5, "decisions": 9}
    rows = []
    for t in range(900):
        kind = list(kinds)[t // 100 % 3]
        rows.append(f"{t / 100},{kinds[kind]},{kind}\n")
    (tmp_path / "lab.csv").write_text("time_s,power_mw,marker\n" + "".join(rows))
    return f"csv:{tmp_path / 'lab.csv'}?decisions=20"


def test_without_a_meter_it_exits_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("rapl", "ina3221", "ina2xx"):
        monkeypatch.setattr(f"edgehar.bench.meters.{module}.DIRECTORY", tmp_path)
    monkeypatch.setattr("edgehar.bench.meters.pi5_pmic.PROGRAM", str(tmp_path / "vcgencmd"))
    assert main(["bench", "energy", DEMO]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    for name in ("jetson", "pi5", "ina2xx", "rapl", "ppk2", "csv"):
        assert f"  {name}: " in told.err


def test_a_trace_as_table_and_as_json(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "energy", DEMO, "--meter", trace]) == 0
    table = capsys.readouterr().out
    assert table.startswith("MEASURED: ")
    assert "not measured" in table  # acquisition
    assert "PROJECTED" not in table
    assert main(["bench", "energy", DEMO, "--meter", trace, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["type"] == "energy-measurement"
    assert told["meter"]["name"] == "csv"
    assert told["split"]["idle_mw"]["value"] == pytest.approx(3)
    assert told["split"]["acquisition_mj"] is None
    assert len(told["windows"]) == 9


def test_a_projection_on_request(trace: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "energy", DEMO, "--meter", trace, "--battery", "200mAh,3.7V,80%", "--duty", "0.5"]
    assert main(command) == 0
    assert "PROJECTED: " in capsys.readouterr().out
    assert main([*command, "--asleep-mw", "0.1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["projection"]
    assert told["battery"] == {"capacity_mah": 200, "voltage_v": 3.7, "usable": 0.8}
    assert told["life_h"] == pytest.approx(200 * 3.7 * 0.8 / told["mean_power_mw"])


def test_a_picture(trace: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edgehar[report]'")
    assert main(["bench", "energy", DEMO, "--meter", trace, "--plot", str(tmp_path / "e.svg")]) == 0
    assert (tmp_path / "e.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--battery", "200"], 2, "--battery '200'"),
        (["--battery", "200mAh,3.7V,120%"], 2, "1.2 of it usable"),
        (["--duty", "2"], 2, "a duty of 2"),
        (["--rounds", "0"], 2, "0 rounds"),
        (["--meter", "voltmeter"], 2, "no meter is called 'voltmeter'"),
        (["--meter", "csv:none.csv?decisions=5"], 3, "none.csv cannot be read"),
        (["--estimate", "nrf52840"], 2, "--estimate 'nrf52840'"),
        (["--estimate", "nrf52840:1e6"], 3, "no estimate for nrf52840"),
        (["--estimate", "nrf5284:1e6"], 2, "no board is called 'nrf5284'"),
    ],
)
def test_refusals(options: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "energy", DEMO, *options]) == code
    told = capsys.readouterr()
    assert message in told.err
    assert "next: " in told.err
    assert told.out == ""


def test_a_constant_supply_shows_no_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A live meter, by a program that always tells the same: nothing is made of it."""
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho ' VDD_CORE_A current(7)=1.0A'\necho ' VDD_CORE_V volt(15)=0.8V'\n")
    program.chmod(0o755)
    options = ["--meter", f"pi5:{program}", "--seconds", "0.1", "--rounds", "1", "--runtime", "reference"]
    assert main(["bench", "energy", DEMO, *options]) == 5
    assert "the meter cannot see it" in capsys.readouterr().err
