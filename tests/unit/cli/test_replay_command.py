"""A recording is played: as events for people, as CSV that reads back to the same samples, as JSON for scripts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgehar.cli.app import main
from edgehar.recording import RecordingWriter
from edgehar.sources.csv_rows import CsvRows
from edgehar.types import Chunk, Flag, StreamSpec

SPEC = StreamSpec("imu", ("acc_x", "acc_y"), 50.0, ("g", "g"))


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "walk.mcap"
    n = 100
    t_ns = np.arange(n) * 20_000_000
    x = np.random.default_rng(0).standard_normal((n, 2)).astype(np.float32)
    x[7, 1] = np.nan
    flags = np.zeros(n, np.uint16)
    flags[50] = Flag.GAP_BEFORE
    with RecordingWriter(path, SPEC) as writer:
        writer.write(Chunk(SPEC, t_ns, t_ns, np.arange(n), x, flags))
        writer.label(0, 1_000_000_000, "walking")
    return path, x


def test_events_are_told_as_they_come(recording, capsys):
    assert main(["replay", str(recording[0]), "--speed", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("s  ")[1] for line in lines[:3]] == ["walking", "samples are missing", "(no label)"]
    assert "100 samples" in lines[3]


def test_csv_reads_back_to_the_same_samples(recording, capsys):
    assert main(["replay", str(recording[0]), "--speed", "0", "--csv"]) == 0
    text = capsys.readouterr().out
    t_ns, x = CsvRows().feed(text.encode())
    np.testing.assert_array_equal(x, recording[1])
    assert t_ns[-1] == 99 * 20_000_000


def test_json_has_the_counts(recording, capsys):
    assert main(["replay", str(recording[0]), "--speed", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 100
    assert main(["replay", str(recording[0]), "--csv", "--json"]) == 2
    assert main(["replay", "nowhere.mcap"]) == 3


def test_a_recording_that_was_cut_off_says_so(recording, capsys):
    path = recording[0]
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["replay", str(path), "--speed", "0"]) == 0
    assert f"edgehar repair {path}" in capsys.readouterr().out
