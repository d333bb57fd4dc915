"""`edgehar import csi`: one field and sender a recording, uneven times kept, everything that is left out counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import text_rows as say

from edgehar.cli.app import main
from edgehar.datasets import FORMATS, Dataset
from edgehar.datasets.csi_times import measured_rate_hz, times_of
from edgehar.datasets.session import CsiOptions, ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.errors import InputError, MissingError, UsageError
from edgehar.recording import Recording
from edgehar.registry import resolve
from edgehar.types import Flag
from edgehar.wire.frames import UNKNOWN_SEQ
from edgehar.wire.layouts import layout_named

MS = 1_000_000


def imported(path: Path, out: Path, **options):
    source = resolve("formats", FORMATS, "csi")(path, ImportOptions(csi=CsiOptions(**options)))
    return write_dataset(source, out), source.told


def chunks(dataset: Dataset, number: int = 0):
    recording = Recording.open(dataset.recordings[number].path)
    return recording, list(recording.chunks())


def capture(count=100, *, step_us=10_000, first_us=2**32 - 300_000, mac=say.MAC, values=128, **row) -> bytes:
    """Rows whose clock wraps on the way."""
    return b"".join(
        say.csi_recv(say.numbers(values, n), number=n, mac=mac, t_us=(first_us + n * step_us) % 2**32, **row)
        for n in range(count)
    )


def test_a_capture_becomes_a_recording_with_its_own_times(tmp_path):
    path = tmp_path / "walk.csv"
    path.write_bytes(b"type,id,mac,data\n" + capture(250))
    dataset, told = imported(path, tmp_path / "d")
    assert (dataset.name, dataset.rate_hz, dataset.labels) == ("walk", 100.0, ())
    assert dataset.channels[:2] == ("sc-26.re", "sc-26.im")
    assert len(dataset.channels) == 104
    recording, parts = chunks(dataset)
    assert (recording.subject, recording.session) == ("1", "walk")
    x = np.concatenate([part.x for part in parts])
    pair = layout_named("classic-below-lltf").fields["lltf"].order.index(-26)
    assert x[:, 0].tolist() == [say.numbers(128, n)[2 * pair + 1] for n in range(250)]
    assert np.concatenate([part.t_dev_ns for part in parts]).tolist() == [n * 10 * MS for n in range(250)]
    assert np.concatenate([part.seq for part in parts]).tolist() == list(range(250))
    assert not np.concatenate([part.flags for part in parts]).any()
    assert set(parts[0].aux) >= {"rssi_dbm", "mac_hash", "layout_id", "tx_seq"}
    assert (told["frames"], told["kept"], told["measured_hz"]) == (250, 250, [100.0, 100.0])


def test_a_stray_sender_is_counted_or_kept_apart(tmp_path):
    path = tmp_path / "two.txt"
    stray = capture(20, mac=say.CSI_SEND)
    path.write_bytes(capture(100) + stray)
    dataset, told = imported(path, tmp_path / "one")
    assert (len(dataset.recordings), told["kept"], told["other_senders"]) == (1, 100, 20)
    dataset, told = imported(path, tmp_path / "each", sender="each", salt="lab")
    assert (len(dataset.recordings), told["kept"], told["other_senders"]) == (2, 120, 0)
    senders = sorted(recording.extra["sender"] for recording in dataset.recordings)
    assert [recording.path.stem.rpartition("-")[2] for recording in dataset.recordings] == senders
    dataset, told = imported(path, tmp_path / "named", sender=senders[0], salt="lab")
    assert dataset.recordings[0].extra["sender"] == senders[0]
    with pytest.raises(InputError, match="holds no CSI frame of the sender 00000000") as caught:
        imported(path, tmp_path / "no", sender="00000000", salt="lab")
    assert senders[0] in caught.value.hint
    with pytest.raises(UsageError, match="is no hash"):
        imported(path, tmp_path / "no", sender="walker")
    assert say.MAC.encode() not in b"".join(file.read_bytes() for file in tmp_path.rglob("*.mcap"))


def test_frames_without_the_field_are_counted(tmp_path):
    path = tmp_path / "mixed.log"
    path.write_bytes(capture(60, values=384) + capture(20, mode=(0, 0, 0)))
    dataset, told = imported(path, tmp_path / "ht")
    assert (told["field"], told["kept"], told["other_layouts"]) == ("htltf", 60, 20)
    assert len(dataset.channels) == 228
    dataset, told = imported(path, tmp_path / "legacy", field="lltf")
    assert (told["field"], told["kept"], told["other_layouts"]) == ("lltf", 80, 0)
    _, parts = chunks(dataset)
    ids = {layout_named(name).id for name in ("classic-below-ht40", "classic-below-lltf")}
    assert set(np.concatenate([part.aux["layout_id"] for part in parts]).tolist()) == ids


def test_lost_frames_and_a_restart_are_flagged(tmp_path):
    rows = [
        say.csi_recv(say.numbers(128), mac=say.CSI_SEND, number=n, t_us=t)
        for n, t in [(5, 9_000_000), (6, 9_010_000), (9, 9_040_000), (10, 9_050_000), (11, 20_000), (12, 30_000)]
    ]
    path = tmp_path / "gap.csv"
    path.write_bytes(b"".join(rows) + rows[0][:50])
    dataset, told = imported(path, tmp_path / "d")
    _, parts = chunks(dataset)
    flags = np.concatenate([part.flags for part in parts]).tolist()
    assert flags == [0, 0, Flag.GAP_BEFORE, 0, Flag.CLOCK_RESET, 0]
    assert np.concatenate([part.seq for part in parts]).tolist() == [0, 1, 4, 5, 6, 7]
    steps = np.diff(np.concatenate([part.t_dev_ns for part in parts])) // MS
    assert steps.tolist() == [10, 30, 10, 10, 10]
    assert (told["lost_link"], told["lost_unknown"], told["truncated_row"]) == (1, 1, 1)
    assert told["first_bad"] == ["gap.csv:7 truncated_row"]
    counts = json.loads(dataset.recordings[0].extra["counts"])
    assert counts == {"frames": 6, "truncated_row": 1, "lost_link": 1, "lost_unknown": 1}


def test_a_directory_with_names_that_say_who_and_what(tmp_path):
    for name, count in [("ann/walk-1.csv", 60), ("ann/sit-1.csv.gz", 70), ("bob/walk-1.csv", 80), ("bob/empty.csv", 0)]:
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = b"type,id,CSI_DATA\n" + capture(count)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    pattern = r"(?P<subject>\w+)/(?P<label>[a-z]+)(-(?P<session>\d))?"
    dataset, told = imported(tmp_path / "raw", tmp_path / "d", pattern=pattern + r"|.*/empty")
    assert dataset.labels == ("sit", "walk")
    assert dataset.subjects == ("ann", "bob")
    assert (told["files"], told["files_without_frames"], told["kept"]) == (4, 1, 210)
    names = [(recording.session, recording.extra["session"]) for recording in dataset.recordings]
    assert names == [("ann/sit-1", "1"), ("ann/walk-1", "1"), ("bob/walk-1", "1")]


def test_two_files_of_one_session_name_are_refused(tmp_path):
    for name in ("a.csv", "a.txt"):
        (tmp_path / name).write_bytes(capture(20))
    with pytest.raises(InputError, match="two sessions are called 1_a"):
        imported(tmp_path, tmp_path / "d")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dialect": "morse"}, UsageError, "no CSI dialect morse"),
        ({"layout": "classic"}, UsageError, "no CSI layout classic"),
        ({"field": "stbc"}, InputError, "no frame has the field stbc"),
        ({"pattern": "("}, UsageError, "no regular expression"),
        ({"pattern": "walk"}, UsageError, "names no group"),
        ({"pattern": "(?P<label>zzz)"}, InputError, "does not match --pattern"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, options, error, message):
    (tmp_path / "a.csv").write_bytes(capture(20))
    with pytest.raises(error, match=message):
        imported(tmp_path / "a.csv", tmp_path / "d", **options)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(MissingError, match="there is no file"):
        imported(tmp_path / "absent.csv", tmp_path / "d")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="holds no file that ends in"):
        imported(tmp_path / "empty", tmp_path / "d")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(capture(20))[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        imported(tmp_path / "cut.csv.gz", tmp_path / "d")
    (tmp_path / "header.csv").write_bytes(b"type,role,CSI_DATA\n")
    with pytest.raises(InputError, match="holds no CSI frame: it is empty"):
        imported(tmp_path / "header.csv", tmp_path / "d")


def test_the_command_tells_what_it_read(tmp_path, capsys):
    (tmp_path / "a.csv").write_bytes(capture(120) + b"CSI_DATA,1\n")
    assert main(["import", "csi", str(tmp_path / "a.csv"), "--out", str(tmp_path / "d"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["kept"], told["truncated_row"], told["recordings"]) == (120, 120, 1, 1)
    assert main(["import", "csi", str(tmp_path / "a.csv"), "--out", str(tmp_path / "e")]) == 0
    text = capsys.readouterr().out
    assert "layouts: classic-below-lltf 120" in text
    assert "first bad: a.csv:121 truncated_row" in text


@pytest.mark.parametrize(
    ("times_s", "rate_hz"),
    [
        (np.arange(500) / 100, 100.0),
        (np.concatenate([np.arange(300) / 100, 10 + np.arange(300) / 100]), 100.0),  # a pause does not count
        (np.repeat(np.arange(0, 5, 0.1), 5) + np.tile(np.arange(5) * 0.002, 50), 50.0),  # bursts of five
        (np.arange(20) * 0.5, 2.0),
        (np.array([0.0]), 1.0),
        (np.array([]), 1.0),
    ],
)
def test_the_rate_is_measured(times_s, rate_hz):
    assert measured_rate_hz(np.round(times_s * 1e9).astype(np.int64)) == rate_hz


def test_a_receiver_that_counts_twice_a_frame_loses_nothing():
    times = times_of(np.arange(4, dtype=np.uint32) * 1000, np.array([0, 2, 4, 8]), 100.0)
    assert times.flags.tolist() == [0, 0, 0, Flag.GAP_BEFORE]
    assert times.seq.tolist() == [0, 1, 2, 4]
    untold = times_of(np.arange(3, dtype=np.uint32), np.full(3, UNKNOWN_SEQ), 100.0)
    assert (untold.seq.tolist(), untold.flags.any()) == ([0, 1, 2], False)


@pytest.mark.parametrize("text", [False, True])
def test_bytes_that_a_live_source_kept_are_imported_with_their_mark(tmp_path, text):
    from edgehar.boards.virtual_board import BoardSettings, VirtualBoard
    from edgehar.sources.virtual_csi_radio import RadioSettings

    board = VirtualBoard(BoardSettings(RadioSettings(rate_hz=50.0), baud=0, text=text))
    (tmp_path / "all.bin").write_bytes(board.read_until(10_000_000))
    assert main(["import", "csi", str(tmp_path / "all.bin"), "--out", str(tmp_path / "d")]) == 0
    (recording,) = (tmp_path / "d" / "recordings").iterdir()
    opened = Recording.open(recording)
    assert opened.specs["main"].simulated
    assert len(opened.read()) > 400
