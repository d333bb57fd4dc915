"""`edgehar align` on recordings of two devices: clocks, least delays, taps, and what is not known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgehar.cli.app import main
from edgehar.recording import Recording, RecordingWriter
from edgehar.types import Chunk, StreamSpec

S, MS = 1_000_000_000, 1_000_000
SPECS = {name: StreamSpec("imu", ("acc_x", "acc_y", "acc_z"), 100.0, ("g",) * 3) for name in ("wrist", "leg")}
TAPS_S = (12.003, 12.417, 12.931, 40.0, 40.377)
BASE_MS = {"wrist": 5, "leg": 65}


def samples(name, *, ppm, taps_s, seconds=60.0):
    """A still sensor that is knocked at; arrivals late by the link's least delay and an exponential jitter."""
    rng = np.random.default_rng(len(name))
    n = int(seconds * 100)
    true_s = np.arange(n) / 100 + 0.0013 * len(name)
    x = 0.01 * rng.standard_normal((n, 3))
    x[:, 2] += 1
    for at in taps_s:
        x[:, 2] += 4 * np.exp(-(((true_s - at - 0.006) / 0.008) ** 2))
    true_ns = np.rint(true_s * S).astype(np.int64)
    late = BASE_MS[name] * MS + (rng.exponential(6.5, n) * MS).astype(np.int64)
    host = np.maximum.accumulate(true_ns + 1000 * S + late)
    dev = np.rint(true_ns * (1 + ppm * 1e-6)).astype(np.int64)
    return Chunk(SPECS[name], dev, host, np.arange(n), x.astype(np.float32), np.zeros(n, np.uint16))


def record(path, taps_s=TAPS_S, extra=None):
    with RecordingWriter(path, SPECS, extra=extra) as writer:
        for name, ppm in (("wrist", 30.0), ("leg", -20.0)):
            writer.write(samples(name, ppm=ppm, taps_s=taps_s), name)
    return path


def align(capsys, *arguments):
    code = main(["align", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_clocks_and_taps_are_found(tmp_path, capsys):
    code, out, err = align(capsys, record(tmp_path / "two.mcap"), "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["streams"]["wrist"]["ppm"] == pytest.approx(-30, abs=5)
    assert told["streams"]["leg"]["ppm"] == pytest.approx(20, abs=5)
    assert told["streams"]["leg"]["delay_p99_ms"] == pytest.approx(30, rel=0.2)
    (pair,) = told["pairs"]
    assert pair["bound_ms"] is None
    assert [tap["taps"] for tap in pair["taps"]] == [3, 2]
    assert pair["lag_ms"] == pytest.approx(60, abs=5)
    assert not told["simulated"]


def test_least_delays_come_from_the_recording_or_the_command_line(tmp_path, capsys):
    extra = {"least_delay.wrist": "5000000 5000000 1152 bytes at 921600 baud", "least_delay.leg": "0 80000000 a guess"}
    path = record(tmp_path / "two.mcap", extra=extra)
    _, out, _ = align(capsys, path)
    assert "least delay 5 ms (1152 bytes at 921600 baud)" in out
    assert "by their least delays right to 40.0 ms" in out
    assert "leg is later than wrist by +2" in out  # 60 apart, of which 35 were taken off
    _, out, _ = align(capsys, path, "--base", "leg=65ms", "--json")
    assert json.loads(out)["pairs"][0]["bound_ms"] == 0
    assert json.loads(out)["pairs"][0]["lag_ms"] == pytest.approx(0, abs=5)


def test_without_taps_it_says_why(tmp_path, capsys):
    _, out, _ = align(capsys, record(tmp_path / "still.mcap", taps_s=()))
    assert "no tap (no tap: nothing above 1 g)" in out
    assert "a delay that nobody knows" in out


def test_streams_are_chosen(tmp_path, capsys):
    path = record(tmp_path / "two.mcap")
    _, out, _ = align(capsys, path, "--stream", "leg", "--json")
    told = json.loads(out)
    assert list(told["streams"]) == ["leg"]
    assert told["pairs"] == []
    _, out, _ = align(capsys, path, "--stream", "leg", "--stream", "wrist", "--json")
    assert json.loads(out)["pairs"][0]["lag_ms"] == pytest.approx(-60, abs=5)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--stream", "foot"], 2, "no stream 'foot'"),
        (["--base", "foot=1ms"], 2, "'foot', which is no stream"),
        (["--base", "leg=1"], 2, "least delay 'leg=1'"),
    ],
)
def test_refusals(tmp_path, capsys, arguments, code, says):
    found, _, err = align(capsys, record(tmp_path / "two.mcap", taps_s=()), *arguments)
    assert (found, says in err) == (code, True), err


def test_no_recording_and_an_empty_stream(tmp_path, capsys):
    assert align(capsys, tmp_path / "nowhere.mcap")[0] == 3
    with RecordingWriter(tmp_path / "empty.mcap", SPECS) as writer:
        writer.write(samples("wrist", ppm=0, taps_s=()), "wrist")
    code, _, err = align(capsys, tmp_path / "empty.mcap")
    assert code == 5
    assert "'leg' holds 0 samples" in err


def test_simulated_streams_stay_marked_and_record_tells_the_clocks(tmp_path, capsys):
    path = tmp_path / "virtual.mcap"
    sources = ["a=virtual:imu?seed=1&drift_ppm=50", "b=virtual:csi?seed=1"]
    options = [word for source in sources for word in ("--source", source)]
    assert main(["record", *options, "--out", str(path), "--duration", "10", "--speed", "0", "--json"]) == 0
    streams = json.loads(capsys.readouterr().out)["streams"]
    assert streams["a"]["clock"]["ppm"] == pytest.approx(-50, abs=1)
    assert Recording.open(path).specs["a"].simulated
    code, out, _ = align(capsys, path)
    assert code == 0
    assert "SIMULATED" in out.splitlines()[0]
    assert "no tap" in out  # two simulations of two people
