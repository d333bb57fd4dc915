"""`edgehar inspect` tells what a bundle holds, in words and in JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from factories import random_bundle

from edgehar.bundle import save_bundle
from edgehar.cli.app import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    bundle = random_bundle("fastgrnn", hidden=9, rate_hz=25.0)
    bundle = replace(bundle, manifest=replace(bundle.manifest, stamps=("LEAKY",)))
    bundle = replace(bundle, evaluation={"accuracy": 91.25, "matrix": [[1] * 60]})
    save_bundle(bundle, tmp_path / "m.edgehar")
    return tmp_path / "m.edgehar"


def test_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path), "--verify"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "LEAKY",
        "imu, 25 Hz",
        "acc_x [g]",
        "32, 16 samples (1.28, 0.64 s)",
        "class_3",
        "hidden 9",
        "91.25",
        "verified",
    ):
        assert part in shown
    assert "matrix" not in shown


def test_json_is_one_object(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["parameters"] == 9 * (6 + 9 + 2 + 4) + 2 + 4
    assert report["evaluation"]["matrix"] == [[1] * 60]
    assert "verified" not in report
    assert err == ""


def test_damaged_bundle_gives_exit_5_and_the_way_out(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(path.read_bytes()[:-30])
    assert main(["inspect", str(path)]) == 5
    assert "next:" in capsys.readouterr().err
