"""From poses to a file to corrected decisions; recordings keep what the sensor said, and replay to the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from imu_motion import BIAS_G, SPEC, chunks, held, six_poses, turned, walked

from edgehar.calibration import read_calibration
from edgehar.cli.app import main
from edgehar.demo import BUNDLE
from edgehar.recording import Recording, RecordingWriter
from tests.placements import write_model


def recorded(path, x):
    with RecordingWriter(path, SPEC) as writer:
        for chunk in chunks(x):
            writer.write(chunk)
    return f"replay:{path}?speed=0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A calibration file."""
    directory = tmp_path_factory.mktemp("calibration")
    source = recorded(directory / "poses.mcap", six_poses())
    path = directory / "wrist.toml"
    assert main(["calibrate", "--source", source, "--poses", "6", "--out", str(path)]) == 0
    return path


def decided(capsys, *arguments):
    """Decisions without their meta, and the summary."""
    capsys.readouterr()
    assert main(["run", str(BUNDLE), *map(str, arguments), "--json"]) == 0
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{key: value for key, value in line.items() if key != "meta"} for line in lines], last["summary"]


def test_a_person_is_guided_and_told_what_was_found(tmp_path, capsys, monkeypatch):
    write_model(tmp_path / "model.toml")
    monkeypatch.setattr("edgehar.dsp.imu_placement.placement_file", lambda: tmp_path / "model.toml")
    source = recorded(tmp_path / "poses.mcap", np.vstack([six_poses(), turned(), walked()]))
    assert main(["calibrate", "--source", source, "--poses", "6", "--walk", "--out", str(tmp_path / "c.toml")]) == 0
    told = capsys.readouterr()
    assert "pose 6 of 6" in told.err
    assert "walk as usual" in told.err
    assert "accelerometer x: bias +2" in told.out
    assert "placement: leg, a guess" in told.out
    calibration = read_calibration(tmp_path / "c.toml")
    np.testing.assert_allclose([calibration.offset[f"acc_{axis}"] for axis in "xyz"], BIAS_G, atol=0.006)
    assert calibration.about["device"] == "tag-1"


def test_a_script_gets_json(tmp_path, capsys):
    source = recorded(tmp_path / "still.mcap", held([0, 0, 1]))
    assert main(["calibrate", "--source", source, "--wrist", "right", "--like", "left", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mirror"] == "z"
    assert told["accelerometer"]["known"] == [False] * 6
    assert told["file"] is None


def test_what_goes_wrong_has_its_exit_code(tmp_path, capsys, made):
    moving = recorded(tmp_path / "moving.mcap", turned(10))
    assert main(["calibrate", "--source", moving]) == 5
    assert "never still" in capsys.readouterr().err
    assert main(["calibrate", "--source", moving, "--out", str(made)]) == 2
    assert main(["run", str(BUNDLE), "--source", "virtual:imu", "--calibration", "nowhere.toml"]) == 3
    assert main(["run", str(BUNDLE), "--source", "virtual:imu", "--calibration", "none", "--calibration", "x"]) == 2


def test_a_recording_keeps_raw_values_and_the_calibration(tmp_path, made):
    out = tmp_path / "r.mcap"
    source = recorded(tmp_path / "still.mcap", held([0, 0, 1]))
    assert main(["record", "--source", source, "--calibration", str(made), "--out", str(out)]) == 0
    recording = Recording.open(out)
    np.testing.assert_array_equal(recording.read().x, Recording.open(tmp_path / "still.mcap").read().x)
    assert recording.extra["calibration"] == made.read_text()


def test_a_run_is_corrected_and_its_recording_replays_to_the_same_decisions(tmp_path, capsys, made):
    live = ("--source", "virtual:imu?duration_s=20&speed=0")
    plain, _ = decided(capsys, *live)
    corrected, summary = decided(capsys, *live, "--calibration", made, "--record", tmp_path / "r.mcap")
    assert corrected != plain
    assert summary["calibrated"] == ["main"]
    replay = ("--source", f"replay:{tmp_path}/r.mcap?speed=0")
    again, summary = decided(capsys, *replay)
    assert again == corrected
    assert summary["calibrated"] == ["main"]
    raw, summary = decided(capsys, *replay, "--calibration", "none")
    assert raw == plain
    assert "calibrated" not in summary
