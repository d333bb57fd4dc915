"""Replay gives back what was recorded, at any speed."""

import asyncio

import numpy as np
import pytest

from edgehar.errors import MissingError, UsageError
from edgehar.recording import RecordingWriter
from edgehar.sources import open_source
from edgehar.sources.pace import Pace
from edgehar.testing.source import check_source
from edgehar.types import Chunk, Flag, StreamSpec

FIELDS = ("t_dev_ns", "t_host_ns", "seq", "x", "flags")
SPEC = StreamSpec("imu", ("acc_x",), 100.0, ("g",), session_id="s")


def recording(path, *, seconds=3, names=("main",), simulated=False):
    spec = StreamSpec("imu", ("acc_x",), 100.0, ("g",), session_id="s", simulated=simulated)
    n = 100 * seconds
    rng = np.random.default_rng(0)
    seq = np.delete(np.arange(n + 10), np.arange(150, 160))
    flags = np.where(np.diff(seq, prepend=-1) > 1, Flag.GAP_BEFORE, 0).astype(np.uint16)
    t_dev_ns = 5_000_000_000 + seq * 10_000_000
    t_host_ns = np.maximum.accumulate(t_dev_ns + 7_000_000_000 + rng.integers(0, 30_000_000, n))
    chunk = Chunk(spec, t_dev_ns, t_host_ns, seq, rng.standard_normal((n, 1)).astype(np.float32), flags)
    with RecordingWriter(path, dict.fromkeys(names, spec)) as writer:
        for name in names:
            writer.write(chunk, name)
        writer.label(int(t_dev_ns[0]), int(t_dev_ns[100]), "walk")
        writer.label(int(t_dev_ns[120]), int(t_dev_ns[200]), "sit")
    return chunk


def joined(chunks, field):
    return np.concatenate([getattr(chunk, field) for chunk in chunks])


@pytest.mark.parametrize("speed", ["0", "1000"])
def test_replay_gives_back_every_recorded_array(tmp_path, speed):
    path = tmp_path / "a recording.mcap"
    chunk = recording(path, simulated=True)
    chunks = check_source(lambda: open_source(f"replay:{path}?speed={speed}"), at_least=300)
    for field in FIELDS:
        assert np.array_equal(joined(chunks, field), getattr(chunk, field))
    assert all(c.spec == chunk.spec for c in chunks)


def test_a_slow_replay_comes_in_the_small_pieces_of_a_live_stream(tmp_path, monkeypatch):
    recording(tmp_path / "a.mcap")
    due = []

    async def until(self, t_ns):
        due.append((self.speed, t_ns))

    monkeypatch.setattr(Pace, "until", until)
    chunks = check_source(lambda: open_source(f"replay:{tmp_path}/a.mcap?speed=2"))
    spans_ns = [int(c.t_host_ns[-1] - c.t_host_ns[0]) for c in chunks]
    assert max(spans_ns) <= 40_000_000  # 20 ms of wall time
    assert len(chunks) > 50
    assert due[: len(chunks)] == [(2.0, int(c.t_host_ns[-1])) for c in chunks]


def test_pace_waits_for_stream_time_divided_by_speed(monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(round(seconds, 2))

    async def go(speed):
        pace = Pace(speed)
        for t_ns in (10**9, 3 * 10**9, 2 * 10**9):
            await pace.until(t_ns)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(go(4.0))
    asyncio.run(go(0.0))
    assert waits == [0, pytest.approx(0.5, abs=0.02), pytest.approx(0.25, abs=0.02), 0, 0, 0]


def test_loops_continue_in_time_and_number(tmp_path):
    chunk = recording(tmp_path / "a.mcap")
    source = open_source(f"replay:{tmp_path}/a.mcap?speed=0&loop=2")
    chunks = check_source(lambda: source, at_least=900)
    t_dev_ns = joined(chunks, "t_dev_ns")
    assert np.array_equal(joined(chunks, "x"), np.tile(chunk.x, (3, 1)))
    assert int(t_dev_ns[300] - t_dev_ns[299]) == 10_000_000
    assert source.label_at(int(t_dev_ns[10])) == source.label_at(int(t_dev_ns[310])) == "walk"


def test_loops_of_late_packets_arrive_in_order(tmp_path):
    jittery = open_source("virtual:imu?speed=0&duration_s=5&jitter_ms=200&seed=3")
    with RecordingWriter(tmp_path / "a.mcap", jittery.spec) as writer:
        for chunk in check_source(lambda: jittery):
            writer.write(chunk)
    chunks = check_source(lambda: open_source(f"replay:{tmp_path}/a.mcap?speed=0&loop=2"))
    above = joined(chunks, "t_host_ns") - joined(chunks, "t_dev_ns")
    assert (above.reshape(3, -1) >= above[:250]).all()  # later than recorded, if at all: as a link does it


def test_labels_are_those_of_the_recording(tmp_path):
    chunk = recording(tmp_path / "a.mcap")
    source = open_source(f"replay:{tmp_path}/a.mcap?speed=0")
    check_source(lambda: source)
    labels = [source.label_at(int(chunk.t_dev_ns[i])) for i in (0, 99, 100, 120, 199, 200)]
    assert labels == ["walk", "walk", "", "sit", "sit", ""]


def test_of_several_streams_one_is_chosen(tmp_path):
    recording(tmp_path / "two.mcap", names=("wrist", "ankle"))
    with pytest.raises(UsageError, match="holds 2 streams") as caught:
        check_source(lambda: open_source(f"replay:{tmp_path}/two.mcap?speed=0"))
    assert "wrist, ankle" in caught.value.hint
    check_source(lambda: open_source(f"replay:{tmp_path}/two.mcap?speed=0&stream=ankle"), at_least=300)


def test_a_missing_file_is_named():
    with pytest.raises(MissingError, match=r"nowhere\.mcap"):
        check_source(lambda: open_source("replay:nowhere.mcap"))
