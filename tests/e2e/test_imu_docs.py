"""The examples of docs/imu.md run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from imu_motion import SPEC, chunks, six_poses, turned, walked

from edgehar.calibration import read_calibration
from edgehar.recording import Recording, RecordingWriter
from tests.page_shell import shell

PAGE = (Path(__file__).parents[2] / "docs" / "imu.md").read_text()


def examples(section, language):
    part = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)


@pytest.fixture
def poses(tmp_path):
    with RecordingWriter(tmp_path / "poses.mcap", SPEC) as writer:
        for chunk in chunks(np.vstack([six_poses(), turned(), walked()])):
            writer.write(chunk)
    return tmp_path


def test_a_sensor_is_calibrated_as_the_page_says(poses):
    done = shell(examples("Calibrate", "sh")[0], poses, stop_at_errors=True)
    assert done.returncode == 0, done.stderr
    assert "\nplacement: " in done.stdout
    assert set(read_calibration(poses / "tag.toml").gain) == {"acc_x", "acc_y", "acc_z"}
    assert "calibration" in Recording.open(poses / "kept.mcap").extra


def test_the_python_of_the_page_runs(poses, monkeypatch, capsys):
    monkeypatch.chdir(poses)
    exec(examples("Calibrate", "python")[0], {})
    assert "+x" in capsys.readouterr().out


@pytest.mark.slow
def test_a_simulated_tag_on_a_cable_is_recorded(tmp_path):
    pytest.importorskip("serial")
    done = shell(
        examples("On a cable", "sh")[0].replace("duration 40", "duration 25") + "wait\n", tmp_path, stop_at_errors=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recording = Recording.open(tmp_path / "tag.mcap")
    assert recording.specs["main"].rate_hz == 100.0
    assert recording.specs["main"].simulated
    assert len(recording.read()) == 500
