"""Two sensors by the command line: train, inspect, lose one, export, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from two_units import write_two_units

from edgehar.cli.app import main

TRAIN = ["--test-subjects", "p4,p5", "--window", "48", "--hop", "12", "--epochs", "12"]
SMALL = ["options.width=6", "options.width2=6"]
QUICK = ["recipe.lr=0.03", "recipe.batch=16", "recipe.ema=0.8", 'recipe.select="none"']


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(dataset, bundle)."""
    place = tmp_path_factory.mktemp("fusion")
    write_two_units(place / "dataset")
    sensors = ["--model", "fusion", "--sensors", "wrist=left_arm,leg=right_leg"]
    changes = [part for change in (*SMALL, *QUICK) for part in ("--set", change)]
    done = main(["train", "--dataset", str(place / "dataset"), "--out", str(place / "run"), *sensors, *TRAIN, *changes])
    assert done == 0
    return place / "dataset", place / "run" / "fusion.edgehar"


def test_a_bundle_tells_its_sensors(run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(run[1]), "--verify"]) == 0
    shown = capsys.readouterr().out
    assert "wrist (3 channels), leg (6 channels)" in shown
    assert "evaluation.alone.wrist.accuracy" in shown


def test_a_lost_sensor_costs_accuracy_not_decisions(run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    dataset, bundle = run
    found = {}
    for lost in ("", "wrist", "leg"):
        assert (
            main(["evaluate", str(bundle), "--dataset", str(dataset), "--without", lost, "--no-forest", "--json"]) == 0
        )
        found[lost] = json.loads(capsys.readouterr().out)
    assert found[""]["accuracy"] > 90
    for lost in ("wrist", "leg"):
        assert found[lost]["windows"] == found[""]["windows"]
        assert 50 < found[lost]["accuracy"] < 85
    assert main(["evaluate", str(bundle), "--dataset", str(dataset), "--without", "leg"]) == 0
    shown = capsys.readouterr().out
    assert "without leg" in shown
    assert "no random forest: it would hear the sensors that are lost" in shown


def test_a_sensor_that_is_not_there_is_refused(run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    dataset, bundle = run
    assert main(["evaluate", str(bundle), "--dataset", str(dataset), "--without", "ankle"]) == 2
    assert "its sensors are wrist, leg" in capsys.readouterr().err
    out = str(bundle.parent / "other")
    assert main(["train", "--dataset", str(dataset), "--out", out, "--model", "fusion", "--sensors", "leg=shoe"]) == 2
    assert "choose from: torso, left_arm, right_leg" in capsys.readouterr().err


PACKAGES = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert"}


@pytest.mark.parametrize("target", ["numba", "reference", "onnxruntime", "litert"])
def test_every_runtime_says_the_same(run: tuple[Path, Path], target: str, capsys: pytest.CaptureFixture[str]) -> None:
    if target in PACKAGES:
        pytest.importorskip(PACKAGES[target], reason="pip install 'edgehar[export]'")
    assert main(["verify", str(run[1]), "--targets", target, "--windows", "20", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in told["targets"]] == ["PASS"]
