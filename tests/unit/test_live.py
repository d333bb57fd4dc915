"""The live loop's parts: tee, tallies, stopping."""

import asyncio
import errno
import os
import signal

import numpy as np
import pytest
from factories import random_bundle

from edgehar.errors import MissingError
from edgehar.live import Stop, chunks_until, run_live
from edgehar.pipeline import Pipeline
from edgehar.recording import Recording, RecordingWriter, repair
from edgehar.sources import open_source
from edgehar.tally import DecisionTally, StreamTally, summary
from edgehar.tee import Tee
from edgehar.types import Activity, Chunk, Flag, Status, StreamSpec


def chunk(seq, flags=None, *, spec=None):
    seq = np.asarray(seq, np.int64)
    spec = spec or StreamSpec("imu", ("a",), 10.0, ("g",))
    t_ns = seq * 100_000_000
    zeros = np.zeros(len(seq), np.uint16)
    return Chunk(
        spec, t_ns, t_ns, seq, np.zeros((len(seq), 1), np.float32), zeros if flags is None else np.uint16(flags)
    )


def read(source, stop=None, duration_s=None):
    async def go():
        async with source:
            return [c async for c in chunks_until(source, stop or Stop(), duration_s)]

    return asyncio.run(go())


def test_losses_are_jumps_within_and_between_chunks_but_not_restarts():
    tally = StreamTally()
    tally.add(chunk([7, 8, 11]))
    tally.add(chunk([]))
    tally.add(chunk([14, 15]))
    tally.add(chunk([0, 1], [Flag.CLOCK_RESET, 0]))
    assert (tally.samples, tally.lost) == (7, 4)


@pytest.mark.parametrize("flag", [Flag.CLOCK_RESET, Flag.NONE])
def test_a_restarted_clock_counts_neither_forwards_nor_backwards(flag):
    tally = StreamTally()
    tally.add(chunk(range(1000, 1011), [flag] + [0] * 10))
    tally.add(chunk(range(11), [flag] + [0] * 10))
    assert (tally.samples, tally.duration_s) == (22, 2.0)
    assert tally.rate_hz == pytest.approx(10.0)


def test_summary_counts_every_status():
    stream, decisions = StreamTally(), DecisionTally()
    stream.add(chunk(range(11)))
    for i, status in enumerate([Status.OK, Status.OK, Status.NO_DATA]):
        decisions.add(Activity(i, "x", 0.5, status, 0.5, (i + 1) * 10**6, "m"))
    found = summary(stream, decisions, interrupted=False)
    assert found["statuses"] == {"OK": 2, "UNSURE": 0, "NO_DATA": 1, "OUT_OF_CONTRACT": 0}
    assert (found["decisions"], found["latency_p50_ms"], found["coverage"]) == (3, 2.0, 0.5)
    assert (found["samples"], found["rate_hz"], found["duration_s"]) == (11, pytest.approx(10.0), 1.0)


def test_summary_of_nothing():
    found = summary(StreamTally(), DecisionTally(), interrupted=True)
    assert (found["decisions"], found["latency_p99_ms"], found["rate_hz"]) == (0, None, 0.0)


def test_duration_is_stream_time():
    chunks = read(open_source("virtual:imu?speed=0"), duration_s=4.0)
    assert sum(map(len, chunks)) == 200


@pytest.mark.parametrize("flag", [Flag.CLOCK_RESET, Flag.NONE])
def test_duration_goes_on_across_a_restart_of_the_clock(flag):
    class Restarting:
        async def __aiter__(self):
            for first in (1000, 1010):
                yield chunk(range(first, first + 10))
            for first in range(0, 1000, 10):
                yield chunk(range(first, first + 10), [flag if first == 0 else 0] + [0] * 9)

    async def go():
        return [c async for c in chunks_until(Restarting(), Stop(), 5.0)]

    # 1.9 s before the restart, 3.0 s behind it; nobody knows what it took: it counts as nothing.
    assert sum(map(len, asyncio.run(go()))) == 20 + 31


def test_a_stop_request_ends_even_a_silent_source():
    class Silent:
        spec = StreamSpec("imu", ("a",), 10.0, ("g",))

        async def __aenter__(self):
            return self

        async def __aexit__(self, *about):
            pass

        async def __aiter__(self):
            yield chunk([0])
            await asyncio.Event().wait()

    async def go():
        stop, seen = Stop(), []
        asyncio.get_running_loop().call_later(0.01, stop.request, signal.SIGINT)
        seen = [c async for c in chunks_until(Silent(), stop)]
        return stop, seen

    stop, seen = asyncio.run(go())
    assert stop.interrupted
    assert len(seen) == 1


def test_tee_records_samples_and_the_labels_that_the_source_knows(tmp_path):
    source = open_source("virtual:imu?speed=0&duration_s=40&seed=1&dwell_s=8&loss=0.1")
    with RecordingWriter(tmp_path / "a.mcap", source.spec) as writer:
        tee = Tee(writer, source)
        chunks = read(source)
        for c in chunks:
            tee.write(c)
        tee.finish()
    back = Recording.open(tmp_path / "a.mcap")
    assert np.array_equal(back.read().x, np.concatenate([c.x for c in chunks]))
    assert len(back.labels) >= 3
    for label in back.labels:
        assert source.label_at(label.t0_ns) == label.label
    times = np.concatenate([c.t_dev_ns for c in chunks])
    for t_ns in times[::7].tolist():
        [covering] = [label.label for label in back.labels if label.t0_ns <= t_ns < label.t1_ns]
        assert covering == source.label_at(t_ns)


def test_tee_writes_the_given_label_over_the_whole_stream(tmp_path):
    source = open_source("virtual:imu?speed=0&duration_s=9&seed=1")
    with RecordingWriter(tmp_path / "a.mcap", source.spec) as writer:
        tee = Tee(writer, source, label="dance")
        for c in read(source):
            tee.write(c)
        tee.finish()
    [label] = Recording.open(tmp_path / "a.mcap").labels
    assert (label.t0_ns, label.t1_ns, label.label) == (0, 9_000_000_000, "dance")


def test_a_kill_loses_no_more_of_a_label_than_of_the_samples(tmp_path):
    path = tmp_path / "a.mcap"
    source = open_source("virtual:imu?speed=0&duration_s=9&seed=1")
    writer = RecordingWriter(path, source.spec)
    tee = Tee(writer, source, label="dance")
    for c in read(source):
        tee.write(c)
    killed = Recording.open(path)  # nothing was closed
    [label] = killed.labels
    assert (label.t0_ns, label.label) == (0, "dance")
    assert label.t1_ns == killed.read().t_dev_ns[-1] + 20_000_000 >= 7_900_000_000
    saved = repair(path, tmp_path / "b.mcap")
    assert saved.labels == 1
    assert Recording.open(tmp_path / "b.mcap").labels == (label,)
    tee.finish()
    writer.close()
    assert [(kept.t0_ns, kept.t1_ns) for kept in Recording.open(path).labels] == [(0, 9_000_000_000)]


def test_a_full_disk_is_told_as_such_also_while_a_label_lasts(tmp_path, monkeypatch):
    def full(descriptor, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def go():
        source = open_source("virtual:imu?speed=0&duration_s=9&seed=1")
        pipeline = Pipeline(random_bundle("fastgrnn", window=50, hop=25), "reference")
        with RecordingWriter(tmp_path / "a.mcap", source.spec) as writer:
            monkeypatch.setattr(os, "write", full)
            tallies = {"stream": StreamTally(), "decisions": DecisionTally()}
            await run_live(source, pipeline, [], stop=Stop(), tee=Tee(writer, source, label="dance"), **tallies)

    with pytest.raises(MissingError, match="no space left"):
        asyncio.run(go())


class Vanishing:
    """Yields one chunk, and never says that this was all."""

    spec = StreamSpec("imu", ("a",), 10.0, ("g",))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def __aiter__(self):
        yield chunk([0, 1], spec=self.spec)
        await asyncio.Event().wait()


def test_a_device_that_went_away_does_not_keep_a_run_of_given_duration_from_ending(monkeypatch):
    monkeypatch.setattr("edgehar.live.SILENT_S", 0.01)
    assert [len(c) for c in read(Vanishing(), duration_s=0.3)] == [2]
