"""Recordings: round trip, the cut-off file, the damaged file, the full disk, the clock of a bulk import."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap.records import Chunk as McapChunk
from mcap.stream_reader import StreamReader

from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError
from edgehar.recording import Label, Recording, RecordingWriter, repair
from edgehar.types import Chunk, Flag, StreamSpec

SPEC = StreamSpec("imu", ("acc_x", "acc_y"), 50.0, ("g", "g"), placement="wrist")


def make_chunk(n: int, first: int = 0, spec: StreamSpec = SPEC) -> Chunk:
    seq = np.arange(first, first + n)
    t_ns = seq * int(1e9 / spec.rate_hz)
    x = np.random.default_rng(first).normal(size=(n, len(spec.channels))).astype(np.float32)
    return Chunk(spec, t_ns, t_ns + 5_000_000, seq, x, np.zeros(n, np.uint16))


def assert_equal(a: Chunk, b: Chunk) -> None:
    for name in ("t_dev_ns", "t_host_ns", "seq", "x", "flags"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.spec == b.spec
    assert set(a.aux) == set(b.aux)
    for name in a.aux:
        np.testing.assert_array_equal(a.aux[name], b.aux[name])


def write(path: Path, chunk: Chunk, **about: str) -> Path:
    with RecordingWriter(path, chunk.spec, sync_every_s=None, **about) as writer:
        writer.write(chunk)
    return path


def chunk_starts(path: Path) -> list[tuple[int, int]]:
    """(first byte, last byte) of each MCAP chunk."""
    with path.open("rb") as file:
        records = StreamReader(file, emit_chunks=True).records
        return [(file.tell() - len(r.data), file.tell()) for r in records if isinstance(r, McapChunk)]


def test_round_trip_with_everything(tmp_path: Path) -> None:
    base = make_chunk(175)
    aux = {
        "rssi_dbm": np.arange(175, dtype=np.int8),
        "mac_hash": np.arange(175, dtype=np.uint32),
        "ok": np.ones(175, bool),
    }
    flags = base.flags.copy()
    flags[7] = Flag.GAP_BEFORE | Flag.CLIPPED
    base.x[3, 1] = np.nan
    chunk = Chunk(SPEC, base.t_dev_ns, base.t_host_ns, base.seq, base.x, flags, aux)
    path = tmp_path / "a" / "r.mcap"
    with RecordingWriter(
        path, SPEC, subject="7", session="s1", placement="wrist", environment="room1", extra={"side": "left"}
    ) as writer:
        writer.write(chunk)
        writer.label(0, 10**9, "walk")
        writer.label(10**9, 2 * 10**9, "sit")
    recording = Recording.open(path)
    assert (recording.subject, recording.session, recording.placement, recording.environment) == (
        "7",
        "s1",
        "wrist",
        "room1",
    )
    assert recording.extra == {"side": "left"}
    assert recording.specs == {"main": SPEC}
    assert recording.labels == (Label(0, 10**9, "walk"), Label(10**9, 2 * 10**9, "sit"))
    assert not recording.truncated
    assert_equal(recording.read(), chunk)


def test_live_chunks_come_back_as_they_were_written(tmp_path: Path) -> None:
    chunks = [make_chunk(10, first) for first in range(0, 200, 10)]
    with RecordingWriter(tmp_path / "r.mcap", SPEC) as writer:
        for chunk in chunks:
            writer.write(chunk)
    back = list(Recording.open(tmp_path / "r.mcap").chunks())
    assert len(back) == len(chunks)
    for a, b in zip(chunks, back, strict=True):
        assert_equal(a, b)


def test_no_mcap_chunk_spans_more_than_a_second(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(50 * 20))
    with path.open("rb") as file:
        spans = [
            r.message_end_time - r.message_start_time
            for r in StreamReader(file, emit_chunks=True).records
            if isinstance(r, McapChunk)
        ]
    assert len(spans) == 20
    assert max(spans) < 10**9


def test_two_streams(tmp_path: Path) -> None:
    other = StreamSpec("imu", ("gyro_x",), 100.0, ("radps",))
    a, b = make_chunk(60), make_chunk(120, spec=other)
    with RecordingWriter(tmp_path / "r.mcap", {"wrist": SPEC, "ankle": other}) as writer:
        writer.write(a, "wrist")
        writer.write(b, "ankle")
    recording = Recording.open(tmp_path / "r.mcap")
    assert_equal(recording.read("wrist"), a)
    assert_equal(recording.read("ankle"), b)
    with pytest.raises(UsageError, match="no stream 'main'"):
        recording.read()


def test_quantised_samples_are_exact(tmp_path: Path) -> None:
    scale = 0.00030543262
    counts = np.arange(-32768, 32768, dtype=np.int16).reshape(-1, 2)
    x = (counts * scale).astype(np.float32)
    n = len(x)
    stamps = np.arange(n) * 20_000_000
    chunk = Chunk(SPEC, stamps, stamps, np.arange(n), x, np.zeros(n, np.uint16))
    write(tmp_path / "r.mcap", chunk)
    np.testing.assert_array_equal(Recording.open(tmp_path / "r.mcap").read().x, (counts * scale).astype(np.float32))


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9, 0.99])
def test_cut_off_file_reads_up_to_the_cut(tmp_path: Path, fraction: float) -> None:
    chunk = make_chunk(500)
    path = write(tmp_path / "r.mcap", chunk, subject="7")
    whole = path.read_bytes()
    cut = int(len(whole) * fraction)
    path.write_bytes(whole[:cut])
    recording = Recording.open(path)
    assert recording.truncated
    assert recording.subject == "7"
    got = recording.read()
    assert len(got) % 50 == 0
    np.testing.assert_array_equal(got.x, chunk.x[: len(got)])


def test_repair_makes_a_cut_off_file_whole(tmp_path: Path) -> None:
    chunk = make_chunk(500)
    path = tmp_path / "r.mcap"
    with RecordingWriter(path, SPEC, subject="7", session="s", extra={"k": "v"}) as writer:
        writer.label(0, 10**10, "walk")
        writer.write(chunk)
    path.write_bytes(path.read_bytes()[: chunk_starts(path)[7][1]])
    saved = repair(path, tmp_path / "new.mcap")
    again = Recording.open(tmp_path / "new.mcap")
    assert (saved.samples, saved.labels, saved.lost_chunks) == (400, 1, 0)
    assert not again.truncated
    assert (again.subject, again.session, again.extra, again.labels[0].label) == ("7", "s", {"k": "v"}, "walk")
    np.testing.assert_array_equal(again.read().x, chunk.x[:400])


@pytest.mark.parametrize("damaged", [0, 4])
def test_damage_inside_is_refused_and_repair_marks_the_gap(tmp_path: Path, damaged: int) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(500))
    first, last = chunk_starts(path)[damaged]
    content = bytearray(path.read_bytes())
    content[(first + last) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged") as caught:
        Recording.open(path).read()
    assert caught.value.reason is Reason.DAMAGED
    assert str(path) in caught.value.hint
    assert repair(path, tmp_path / "new.mcap").lost_chunks == 1
    chunk = Recording.open(tmp_path / "new.mcap").read()
    assert len(chunk) == 450
    assert chunk.flags[damaged * 50] == Flag.GAP_BEFORE
    assert not chunk.flags[np.arange(450) != damaged * 50].any()


def test_a_damaged_name_of_a_compression_costs_one_chunk(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(500))
    content = bytearray(path.read_bytes())
    first, _ = chunk_starts(path)[4]
    content[content.rindex(b"lz4", 0, first) + 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        Recording.open(path).read()
    saved = repair(path, tmp_path / "new.mcap")
    assert (saved.samples, saved.lost_chunks) == (450, 1)


def test_damaged_head_is_taken_from_its_copy_at_the_end(tmp_path: Path) -> None:
    chunk = make_chunk(100)
    path = write(tmp_path / "r.mcap", chunk, subject="zoe", session="s1")
    whole = path.read_bytes()
    assert whole.count(b"zoe") == 2
    path.write_bytes(whole.replace(b"zoe", b"bob", 1))
    assert Recording.open(path).subject == "zoe"
    assert_equal(Recording.open(path).read(), chunk)
    path.write_bytes(whole.replace(b"zoe", b"bob"))
    with pytest.raises(InputError, match="does not match its checksum"):
        Recording.open(path)


def test_damage_that_swallows_the_checksum_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(100), subject="zoe")
    content = bytearray(path.read_bytes())
    length = content.index(b"zoe") - 4
    swallowed = content.index(b"crc32", length) + 5 + 4 + 8 - content.index(b"zoe")
    content[length : length + 4] = swallowed.to_bytes(4, "little")  # the subject's name now reaches over the checksum
    path.write_bytes(content)
    assert Recording.open(path).subject == "zoe"


def test_a_chunk_that_vanished_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(500))
    content = bytearray(path.read_bytes())
    for first, _ in chunk_starts(path)[3:4]:
        record = content.rfind(b"\x06", 0, first - 40)  # the opcode in front of the chunk's length and stamps
        content[record] = 0x7F
    path.write_bytes(content)
    with pytest.raises(InputError, match="readable messages of 10"):
        Recording.open(path).read()


def test_damaged_last_chunk_counts_as_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(500))
    first, last = chunk_starts(path)[-1]
    content = bytearray(path.read_bytes()[:last])
    content[first:] = bytes(last - first)  # what a power cut leaves on some file systems
    path.write_bytes(content)
    recording = Recording.open(path)
    assert len(recording.read()) == 450
    assert recording.truncated


def test_kill_9_loses_at_most_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_recording import SPEC, make_chunk
from edgehar.recording import RecordingWriter
writer = RecordingWriter({str(path)!r}, SPEC)
for first in range(0, 1230, 10):
    writer.write(make_chunk(10, first))
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    recording = Recording.open(path)
    assert 1180 <= len(recording.read()) <= 1230
    assert recording.truncated


def test_full_disk_keeps_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.mcap"
    writer = RecordingWriter(path, SPEC)
    writer.write(make_chunk(500))
    writer.flush()
    real = os.write

    def half_then_full(descriptor: int, content: memoryview) -> int:
        if len(content) < 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, content[: len(content) // 2])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(MissingError, match="no space left") as caught:
        writer.write(make_chunk(500, 500))
    monkeypatch.undo()
    assert caught.value.reason is Reason.DISK_FULL
    writer.close()
    recording = Recording.open(path)
    assert len(recording.read()) == 500
    assert recording.truncated
    with pytest.raises(UsageError, match="is closed"):
        writer.write(make_chunk(10))


def test_size_limit_of_the_system_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    script = f"""
import resource, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_recording import SPEC, make_chunk
from edgehar.errors import MissingError
from edgehar.recording import RecordingWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    with RecordingWriter({str(path)!r}, SPEC) as writer:
        for first in range(0, 5000, 50):
            writer.write(make_chunk(50, first))
except MissingError as error:
    print(error.reason)
"""
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "disk_full"
    recording = Recording.open(path)
    assert len(recording.read()) >= 300
    assert recording.truncated


def test_refusals_name_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "r.mcap", make_chunk(50))
    with pytest.raises(UsageError, match="exists"):
        RecordingWriter(path, SPEC)
    with pytest.raises(InputError, match="cannot be written"):
        RecordingWriter(path / "below" / "r.mcap", SPEC)
    with pytest.raises(MissingError, match="there is no recording"):
        Recording.open(tmp_path / "absent.mcap")
    for content in (b"", b"hello world, this is text"):
        (tmp_path / "bad.mcap").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.mcap is not a recording"):
            Recording.open(tmp_path / "bad.mcap")


def test_writer_refuses_what_does_not_belong(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r.mcap", SPEC) as writer:
        other = StreamSpec("imu", ("acc_x", "acc_y"), 25.0, ("g", "g"))
        cases = [
            (lambda: writer.write(make_chunk(5, spec=other)), InputError),
            (lambda: writer.write(make_chunk(5), "left"), UsageError),
            (lambda: writer.label(5, 5, "walk"), InputError),
            (lambda: writer.label(0, 5, ""), InputError),
        ]
        for call, kind in cases:
            with pytest.raises(kind) as caught:
                call()
            assert isinstance(caught.value, EdgeHarError)
            assert caught.value.hint


def test_recording_killed_before_its_first_second_still_says_what_it_is(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "r.mcap", SPEC, subject="7")
    recording = Recording.open(tmp_path / "r.mcap")
    assert recording.specs == {"main": SPEC}
    assert len(recording.read()) == 0
    assert recording.truncated
    writer.close()
    assert not Recording.open(tmp_path / "r.mcap").truncated


def test_imports_only_what_a_device_has() -> None:
    desk = ("torch", "scipy", "sklearn", "pydantic", "matplotlib")
    script = f"import sys, edgehar.recording; print([m for m in {desk} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
