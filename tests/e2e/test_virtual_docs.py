"""The examples of docs/virtual.md and docs/doctor.md run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgehar.recording import Recording
from edgehar.sources.virtual_csi_body import ACTS
from tests.page_shell import shell

DOCS = Path(__file__).parents[2] / "docs"
LINES = {page: re.findall(r"```(?:sh|python)\n(.*?)```", (DOCS / page).read_text(), re.DOTALL) for page in
         ("virtual.md", "doctor.md")}  # fmt: skip


def test_the_python_of_the_virtual_page_runs(capsys):
    exec(LINES["virtual.md"][2], {})
    assert "lost_radio" in capsys.readouterr().out


def test_a_simulated_room_is_recorded_with_its_labels_and_its_mark(tmp_path):
    done = shell(LINES["virtual.md"][0], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stderr
    recording = Recording.open(tmp_path / "room.mcap")
    assert recording.specs["main"].simulated
    assert {label.label for label in recording.labels} <= set(ACTS)
    assert len(recording.labels) > 1


@pytest.mark.slow
@pytest.mark.alone
def test_a_simulated_board_is_examined_and_recorded(tmp_path):
    pytest.importorskip("serial")
    there = "until [ -e board ]; do sleep 0.1; done"
    done = shell(LINES["virtual.md"][1].replace("&\n", f"&\n{there}\n") + "kill $!\n", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is SIMULATED" in done.stdout
    assert "SIMULATED" in done.stderr
    assert (tmp_path / "board.mcap").stat().st_size > 100_000


@pytest.mark.slow
@pytest.mark.alone
def test_a_simulated_tag_is_recorded_as_it_measured(tmp_path):
    pytest.importorskip("serial")
    done = shell(LINES["virtual.md"][3].replace("&\n", "&\nsleep 3\n") + "wait\n", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    heard, measured = (Recording.open(tmp_path / name).read() for name in ("cable.mcap", "truth.mcap"))
    assert heard.spec.simulated
    assert len(heard) >= 100
    same = np.isin(measured.seq, heard.seq)
    assert np.array_equal(measured.x[same], heard.x)
    assert np.array_equal(measured.t_dev_ns[same], heard.t_dev_ns)


def test_the_doctor_examines_a_simulated_stream(tmp_path):
    done = shell(LINES["doctor.md"][0].splitlines()[2], tmp_path)
    assert "is SIMULATED" in done.stdout
    assert done.returncode == 0, done.stdout
