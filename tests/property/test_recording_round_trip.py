"""Any samples in any chunking come back bit for bit."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgehar.errors import EdgeHarError
from edgehar.recording import Label, Recording, RecordingWriter, repair
from edgehar.recording.encoding import decode_samples, encode_samples
from edgehar.types import Chunk, StreamSpec

int64 = hnp.from_dtype(np.dtype(np.int64))


@st.composite
def chunks(draw: st.DrawFn, rate_hz: float = 20.0) -> Chunk:
    n = draw(st.integers(0, 60))
    c = draw(st.integers(1, 5))
    spec = StreamSpec("imu", tuple(f"c{i}" for i in range(c)), rate_hz, ("1",) * c)
    stamps = [draw(hnp.arrays(np.int64, n)) for _ in range(3)]
    x = draw(hnp.arrays(np.uint32, (n, c))).view(np.float32)
    aux_type = draw(st.sampled_from(["<i2", "<f4", "|b1", "<u8", "|i1"]))
    aux = draw(st.sampled_from([{}, {"rssi_dbm": np.zeros(n, aux_type)}]))
    return Chunk(spec, *stamps, x, draw(hnp.arrays(np.uint16, n)), aux)


@given(chunks())
def test_message_round_trip_is_bit_exact(chunk: Chunk) -> None:
    back = decode_samples(encode_samples(chunk))
    for name in ("t_dev_ns", "t_host_ns", "seq", "flags"):
        np.testing.assert_array_equal(getattr(back, name), getattr(chunk, name))
    np.testing.assert_array_equal(back.x.T.copy().view(np.uint32), chunk.x.view(np.uint32))
    for name, values in chunk.aux.items():
        np.testing.assert_array_equal(back.aux[name], values)
        assert back.aux[name].dtype == values.dtype


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.integers(0, 2**32))
def test_reading_does_not_depend_on_the_chunking(sizes: list[int], seed: int) -> None:
    n = sum(sizes)
    spec = StreamSpec("imu", ("a", "b"), 20.0, ("g", "g"))
    stamps = np.arange(n) * 50_000_000
    x = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    whole = Chunk(spec, stamps, stamps + 1, np.arange(n), x, np.zeros(n, np.uint16))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.mcap"
        with RecordingWriter(path, spec, sync_every_s=None) as writer:
            at = 0
            for size in sizes:
                to = slice(at, at + size)
                writer.write(Chunk(spec, stamps[to], stamps[to] + 1, whole.seq[to], x[to], whole.flags[to]))
                at += size
        back = Recording.open(path).read()
    np.testing.assert_array_equal(back.x, x)
    np.testing.assert_array_equal(back.t_dev_ns, stamps)
    np.testing.assert_array_equal(back.t_host_ns, stamps + 1)


def small_recording(path: Path) -> Chunk:
    spec = StreamSpec("imu", ("a", "b"), 20.0, ("g", "g"))
    stamps = np.arange(100) * 50_000_000
    x = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    chunk = Chunk(spec, stamps, stamps, np.arange(100), x, np.zeros(100, np.uint16))
    with RecordingWriter(path, spec, subject="ann", sync_every_s=None) as writer:
        writer.label(0, 10**9, "walk")
        writer.write(chunk)
    return chunk


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_refused_or_costs_only_an_end(data: st.DataObject) -> None:
    """Flipped bits and cuts anywhere: never a wrong sample, never a wrong person, never a foreign exception."""
    with tempfile.TemporaryDirectory() as folder:
        path, repaired = Path(folder) / "r.mcap", Path(folder) / "new.mcap"
        original = small_recording(path)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 2))):
            content[data.draw(st.integers(8, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content[: data.draw(st.integers(8, len(content))) if data.draw(st.booleans()) else None])
        try:
            recording = Recording.open(path)
            chunk = recording.read()
        except EdgeHarError as error:
            assert error.hint  # noqa: PT017 - either outcome is right
        else:
            assert recording.subject == "ann"
            assert recording.labels in ((), (Label(0, 10**9, "walk"),))
            assert recording.truncated == (len(chunk) < 100) or recording.truncated
            np.testing.assert_array_equal(chunk.x, original.x[: len(chunk)])
        try:
            repair(path, repaired)
        except EdgeHarError:
            return
        chunk = Recording.open(repaired).read()
        np.testing.assert_array_equal(chunk.x, original.x[chunk.seq])
