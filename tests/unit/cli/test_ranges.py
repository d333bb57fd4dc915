"""Lengths of time, speeds and figures that make no sense are refused before anything is opened or measured."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edgehar.cli.app import main
from edgehar.demo import BUNDLE


@pytest.mark.parametrize("duration", ["-5", "0", "nan"])
@pytest.mark.parametrize(
    "command",
    [
        ["run", str(BUNDLE), "--source", "virtual:imu", "--speed", "0"],
        ["record", "--source", "virtual:imu", "--out", "a.mcap", "--speed", "0"],
    ],
    ids=["run", "record"],
)
def test_no_length_of_time(
    command: list[str],
    duration: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, f"--duration={duration}"]) == 2
    assert "give seconds above 0" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_replay_at_no_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.mcap"
    assert main(["record", "--source", "virtual:imu?duration_s=2", "--speed", "0", "--out", str(out)]) == 0
    capsys.readouterr()
    for speed in (math.nan, math.inf, -1.0):
        assert main(["replay", str(out), f"--speed={speed}"]) == 2
        assert "--speed" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["-1", "nan"])
def test_a_demo_at_no_speed(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", f"--speed={speed}"]) == 2
    told = capsys.readouterr()
    assert "--speed" in told.err
    assert not told.out


def test_a_stream_must_be_chosen_and_the_message_says_how(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "two.mcap"
    sources = [f"--source={name}=virtual:imu?duration_s=2&seed={seed}" for seed, name in enumerate("ab")]
    assert main(["record", *sources, "--speed=0", "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["replay", str(out)]) == 2
    assert "--stream: a, b" in capsys.readouterr().err


@pytest.mark.parametrize("hop", [-1, 10_000])
def test_a_hop_outside_the_window(hop: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "latency", str(BUNDLE), f"--hop={hop}"]) == 2
    assert f"--hop {hop}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["bench", "latency", str(BUNDLE)],
        ["bench", "energy", str(BUNDLE)],
        ["evaluate", str(BUNDLE), "--dataset", "nowhere"],
        ["data", "nowhere"],
    ],
    ids=lambda command: " ".join(command[:2])[:16],
)
def test_a_figure_that_cannot_be_drawn_is_refused_first(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason='plots need matplotlib: pip install "edgehar[report]"')
    for path, why in (("a.xyz", "no such kind of figure"), ("none/a.png", "there is no directory")):
        assert main([*command, "--plot", str(tmp_path / path)]) == 2
        told = capsys.readouterr()
        assert why in told.err
        assert not told.out


def test_inspect_keeps_details_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(BUNDLE)]) == 0
    told = capsys.readouterr().out
    assert "macro_f1" in told
    assert "per_class" not in told
    assert main(["inspect", str(BUNDLE), "--json"]) == 0
    assert "per_class" in json.dumps(json.loads(capsys.readouterr().out)["evaluation"])
