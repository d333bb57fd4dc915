"""The neutral .npz layout, the CSI layouts and CSV tables, on small made-up files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehar.datasets import FORMATS
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.datasets.windows import cut
from edgehar.errors import InputError, MissingError, UsageError
from edgehar.recording import Recording
from edgehar.registry import resolve
from edgehar.types import Flag


def imported(format_: str, path: Path, out: Path, classes: tuple[str, ...] = (), **options: Any) -> Dataset:
    return write_dataset(resolve("formats", FORMATS, format_)(path, ImportOptions(**options)), out, classes=classes)


def read(dataset: Dataset, name: str) -> Recording:
    return Recording.open(dataset.path / "recordings" / f"{name}.mcap")


def continuous(**changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "signal": random.integers(-32768, 32767, (6, 300)).astype(np.int16),
        "scale": np.array([0.00030543262] * 6),
        "channels": np.array([f"arm_{s}_{a}" for s in ("acc", "gyro") for a in "xyz"]),
        "device_names": np.array(["arm"]),
        "units": np.array(["m/s^2"] * 3 + ["rad/s"] * 3),
        "fs": np.float64(25.0),
        "label_names": np.array(["walk", "sit"]),
        "session_start": np.array([0, 200]),
        "session_length": np.array([200, 100]),
        "session_subject": np.array([7, 12]),
        "session_label": np.array([0, 1], np.uint8),
        "session_name": np.array(["7_A_0", "odd name/1"]),
        "session_trial": np.array([3, 4]),
        **changes,
    }


def saved(path: Path, members: dict[str, Any]) -> Path:
    np.savez(path, **members)
    return path


def test_npz_is_exact_and_keeps_what_it_says_about_sessions(tmp_path: Path) -> None:
    members = continuous()
    dataset = imported("npz", saved(tmp_path / "mine.npz", members), tmp_path / "out")
    assert (dataset.name, dataset.subjects, dataset.rate_hz) == ("mine", ("07", "12"), 25.0)
    assert dataset.channels == ("arm.acc_x", "arm.acc_y", "arm.acc_z", "arm.gyro_x", "arm.gyro_y", "arm.gyro_z")
    assert dataset.units == ("mps2",) * 3 + ("radps",) * 3
    recording = read(dataset, "12_odd-name-1")
    expected = (members["signal"][:, 200:] * members["scale"][:, None]).T.astype(np.float32)
    np.testing.assert_array_equal(recording.read().x, expected)
    assert recording.extra == {"trial": "4"}
    assert [r.name for r in dataset.recordings] == ["07_A-0", "12_odd-name-1"]


def test_npz_labels_by_sample(tmp_path: Path) -> None:
    members = continuous(label=np.repeat([255, 1, 0], 100).astype(np.uint8))
    del members["session_label"]
    windows = cut(imported("npz", saved(tmp_path / "m.npz", members), tmp_path / "out"), window=50, hop=50)
    assert windows.y.tolist() == [1, 1, 0, 0]


def test_only_sessions_of_the_wanted_classes(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.npz", continuous())
    dataset = imported("npz", path, tmp_path / "out", classes=("sit",))
    assert dataset.labels == ("sit",)
    assert [r.subject for r in dataset.recordings] == ["12"]
    with pytest.raises(UsageError, match="no class jog"):
        imported("npz", path, tmp_path / "out2", classes=("jog",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": np.array(["furlong"] * 6)}, r"units\[0\] is 'furlong'"),
        ({"session_length": np.array([200, 200])}, "session 1 .* ends at sample 400 of 300"),
        ({"session_start": None}, "has no member 'session_start'"),
    ],
)
def test_npz_refusals(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    members = {key: value for key, value in continuous(**changes).items() if value is not None}
    with pytest.raises(InputError, match=message):
        imported("npz", saved(tmp_path / "m.npz", members), tmp_path / "out")


def test_damaged_npz_and_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InputError, match="does not open"):
        imported("npz", path, tmp_path / "out")
    np.savez(path, signal=np.array([{}], object), **{k: v for k, v in continuous().items() if k != "signal"})
    with pytest.raises(InputError, match="member 'signal' is damaged"):
        imported("npz", path, tmp_path / "out")
    with pytest.raises(MissingError):
        imported("npz", tmp_path / "absent.npz", tmp_path / "out")


def test_an_existing_directory_is_left_alone_and_a_failed_import_leaves_none(tmp_path: Path) -> None:
    out = tmp_path / "out"
    imported("npz", saved(tmp_path / "m.npz", continuous()), out)
    before = sorted(out.rglob("*"))
    with pytest.raises(UsageError, match="not an empty directory"):
        imported("npz", tmp_path / "m.npz", out)
    assert sorted(out.rglob("*")) == before
    same_name = continuous(session_subject=np.array([7, 7]), session_name=np.array(["a", "a"]))
    with pytest.raises(InputError, match="two sessions are called 7_a"):
        imported("npz", saved(tmp_path / "m.npz", same_name), tmp_path / "out2")
    assert not (tmp_path / "out2").exists()
    imported("npz", saved(tmp_path / "m.npz", continuous()), tmp_path / "out2")


def windows_file(**changes: Any) -> dict[str, Any]:
    """Two experiments in the layout of the UCI HAR windows: overlapping windows, a gap, two classes."""
    random = np.random.default_rng(1)
    members: dict[str, Any] = {
        "scale": np.array([1e-4] * 9),
        "channels": np.array([f"{k}_{a}" for k in ("body_acc", "body_gyro", "total_acc") for a in "xyz"]),
        "units": np.array(["g"] * 3 + ["rad/s"] * 3 + ["g"] * 3),
        "fs": np.float64(50.0),
        "label_names": np.array(["WALKING", "SITTING"]),
    }
    for side, experiment, person in (("train", 1, 3), ("test", 2, 11)):
        signal = random.integers(-30000, 30000, (800, 9)).astype(np.int16)
        start = np.array([500, 564, 20, 84, 148])  # not in order of time
        members |= {
            f"X_{side}": np.stack([signal[s : s + 128] for s in start]),
            f"y_{side}": np.array([1, 1, 0, 0, 0], np.uint8),
            f"exp_{side}": np.full(5, experiment, np.uint8),
            f"start_{side}": start.astype(np.int32),
            f"subject_{side}": np.full(5, person, np.uint8),
        }
    return members | changes


def test_uci_har_windows_come_back_in_their_order(tmp_path: Path) -> None:
    members = windows_file()
    dataset = imported("uci-har-npz", saved(tmp_path / "u.npz", members), tmp_path / "out")
    assert (dataset.window, dataset.hop, dataset.applied_preprocess) == (128, 64, "uci-har")
    assert (dataset.official_train, dataset.official_test) == (("03",), ("11",))
    windows = cut(dataset, window=128, hop=64)
    for side, person in (("train", "03"), ("test", "11")):
        rows = windows.subject == person
        np.testing.assert_array_equal(windows.x[rows], (members[f"X_{side}"] * members["scale"]).astype(np.float32))
        assert windows.start[rows].tolist() == members[f"start_{side}"].tolist()
        assert windows.y[rows].tolist() == members[f"y_{side}"].tolist()
    chunk = read(dataset, "03_exp01").read()
    assert chunk.flags[np.flatnonzero(chunk.seq == 500)[0]] == Flag.GAP_BEFORE
    free = cut(dataset, window=100, hop=50)  # other windows run freely, but not across the gap
    assert free.start[free.subject == "03"].tolist() == [20, 70, 120, 170, 500, 550]


def test_uci_har_windows_that_disagree_are_refused(tmp_path: Path) -> None:
    members = windows_file()
    members["X_train"][1, 3, 2] += 1
    with pytest.raises(InputError, match="experiment 1: window 0 of 5, at offset 500, disagrees"):
        imported("uci-har-npz", saved(tmp_path / "u.npz", members), tmp_path / "out")


def test_csi_frames(tmp_path: Path) -> None:
    iq = np.random.default_rng(2).integers(-128, 127, (30, 52, 2)).astype(np.int8)
    t_us = (np.arange(30, dtype=np.int64) * 20_000 + 2**32 - 200_000).astype(np.uint32)  # wraps within a recording
    members = {
        "iq": iq,
        "t_us": t_us,
        "rssi": np.arange(30, dtype=np.int8),
        "rec_offset": np.array([0, 20, 30]),
        "rec_label": np.array([0, 1]),
        "rec_session": np.array([1, 2]),
        "rec_day": np.array([1, 2]),
        "rec_name": np.array(["a.csv", "b.csv"]),
        "label_names": np.array(["none", "jump"]),
        "subcarrier": np.array([*range(-26, 0), *range(1, 27)]),
    }
    dataset = imported("csi-npz", saved(tmp_path / "c.npz", members), tmp_path / "out")
    assert dataset.channels[:3] == ("sc-26.re", "sc-26.im", "sc-25.re")
    assert dataset.rate_hz == 50.0
    recording = read(dataset, "1_000-a")
    chunk = recording.read()
    assert chunk.spec.kind == "csi"
    np.testing.assert_array_equal(chunk.t_dev_ns, np.arange(20) * 20_000_000)
    np.testing.assert_array_equal(chunk.x[:, 1], iq[:20, 0, 1])
    np.testing.assert_array_equal(chunk.aux["rssi_dbm"], np.arange(20))
    assert (recording.environment, recording.extra["session"]) == ("day1", "1")


def test_csi_amplitudes_mark_what_was_filled_in(tmp_path: Path) -> None:
    amplitude = np.random.default_rng(3).integers(0, 255, (1, 50, 3)).astype(np.uint8)
    amplitude[0, 40:] = amplitude[0, 39]
    mean = np.ones((1, 50), np.float16)
    members = {
        "amp_n64": amplitude,
        "frame_mean_amp": mean,
        "duration_s": np.array([2.0], np.float32),
        "label": np.array([0]),
        "label_names": np.array(["fall"]),
        "user": np.array([4]),
        "room": np.array([2]),
        "name": np.array(["falling/take_1.pcap"]),
        "subcarrier": np.array([-1, 0, 1]),
    }
    dataset = imported("csi-npz", saved(tmp_path / "c.npz", members), tmp_path / "out")
    chunk = dataset.recordings[0].open().read()
    assert (dataset.rate_hz, dataset.subjects, dataset.recordings[0].environment) == (25.0, ("4",), "room2")
    np.testing.assert_array_equal(chunk.x, amplitude[0] / np.float32(64))
    assert np.flatnonzero(chunk.flags & Flag.SYNTHETIC).tolist() == list(range(40, 50))


CSV = """t_s,acc_x[g],acc_y [g],label,subject,session
0.00,1,2,walk,ann,a
0.02,3,,walk,ann,a
0.04,5,6,,ann,a
10.00,7,8,sit,bob,b
10.02,9,10,sit,bob,b
"""


def test_csv(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(CSV)
    dataset = imported("csv", tmp_path / "mine.csv", tmp_path / "out")
    assert (dataset.name, dataset.rate_hz, dataset.channels, dataset.units) == (
        "mine",
        50.0,
        ("acc_x", "acc_y"),
        ("g", "g"),
    )
    recording = read(dataset, "ann_a")
    chunk = recording.read()
    np.testing.assert_array_equal(chunk.x, np.array([[1, 2], [3, np.nan], [5, 6]], np.float32))
    assert chunk.t_dev_ns.tolist() == [0, 20_000_000, 40_000_000]
    assert [label.label for label in recording.labels] == ["walk"]
    assert [label.label for label in read(dataset, "bob_b").labels] == ["sit"]


def test_a_marked_csv_stays_marked(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("# SIMULATED\n" + CSV)
    dataset = imported("csv", tmp_path / "mine.csv", tmp_path / "out")
    names = [path.stem for path in (dataset.path / "recordings").iterdir()]
    assert names
    assert all(read(dataset, name).read().spec.simulated for name in names)


def test_csv_directory_takes_names_from_the_files_and_units_from_the_command(tmp_path: Path) -> None:
    for person in ("ann", "bob"):
        (tmp_path / f"{person}_s1.csv").write_text("t_ns,acc_x\n0,1\n10000000,2\n20000000,3\n40000000,3\n")
    with pytest.raises(UsageError, match="does not say the unit of acc_x"):
        imported("csv", tmp_path, tmp_path / "out")
    dataset = imported("csv", tmp_path, tmp_path / "out", units=("mps2",))
    assert (dataset.subjects, dataset.units, dataset.rate_hz) == (("ann", "bob"), ("mps2",), 100.0)
    assert read(dataset, "ann_s1").read().seq.tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.02,3,,walk", "0.02,three,,walk", r"mine\.csv, row 3: column acc_x\[g\]: 'three' is not a number"),
        ("0.04,5,6,", "0.0x,5,6,", r"mine\.csv, row 4: column t_s: '0.0x' is not a time"),
        ("0.02,3,,walk,ann,a\n0.04,5,6,", "0.02,3, ,walk,ann,a\n0.04,5,six,", r"row 4: column acc_y \[g\]: 'six'"),
        ("0.04,5,6,", "0.04,5,1e60,", r"row 4: column acc_y \[g\]: '1e60' is infinite"),
        ("0.04,5,6,,ann,a", "0.04,5,6", r"mine\.csv, row 4: it has 3 cells, the header 6"),
        ("0.04,5", "0.02,5", r"mine\.csv, row 4: time 20000000 ns does not come after 20000000 ns"),
        ("t_s,", "time,", r"mine\.csv, row 1: the header is time"),
        ("10.02", "10.05", "session b of bob has 20 Hz"),
    ],
)
def test_csv_errors_name_row_and_value(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in CSV
    (tmp_path / "mine.csv").write_text(CSV.replace(old, new))
    with pytest.raises(InputError, match=message):
        imported("csv", tmp_path / "mine.csv", tmp_path / "out")
