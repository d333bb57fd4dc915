"""The importers on the real files: exact values, the official windows, and the figures their READMEs print."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgehar.datasets import FORMATS
from edgehar.datasets.audit import audit
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.splits import load_split, make_split
from edgehar.datasets.store import write_dataset
from edgehar.datasets.windows import cut
from edgehar.errors import MissingError
from edgehar.registry import resolve

SPLITS = Path(__file__).parents[3] / "benchmarks" / "splits"


def imported(format_: str, path: Path, out: Path, classes: tuple[str, ...] = ()) -> Dataset:
    return write_dataset(resolve("formats", FORMATS, format_)(path, ImportOptions()), out, classes=classes)


def test_uci_har_windows_are_the_official_ones(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "imu/uci_har/uci_har_windows.npz"
    dataset = imported("uci-har-npz", path, tmp_path / "d")
    windows = cut(dataset, window=128, hop=64)
    split = load_split(SPLITS / "uci_har.json")
    assert split == make_split(dataset, "official")
    train, validation, test = split.folds[0].indices(windows)
    assert audit(windows, np.concatenate([train, validation]), test, "official") == ()
    with np.load(path) as file:
        for side, rows in (("train", np.sort(np.concatenate([train, validation]))), ("test", test)):
            x, y, start = file[f"X_{side}"], file[f"y_{side}"], file[f"start_{side}"]
            assert len(rows) == {"train": 7352, "test": 2947}[side]
            np.testing.assert_array_equal(windows.x[rows], (x * file["scale"]).astype(np.float32))
            np.testing.assert_array_equal(windows.y[rows], y)
            np.testing.assert_array_equal(windows.start[rows], start)
            np.testing.assert_array_equal(windows.subject[rows].astype(int), file[f"subject_{side}"])


def test_hapt_is_exact_and_shares_the_clock_of_uci_har(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "imu/uci_har/hapt_raw_50hz.npz"
    dataset = imported("npz", path, tmp_path / "d")
    assert (dataset.name, len(dataset.recordings), len(dataset.subjects)) == ("hapt", 61, 30)
    with np.load(path) as file:
        signal, scale = file["signal"], file["scale"]
        for session in (0, 60):
            start, length = int(file["session_start"][session]), int(file["session_length"][session])
            name = str(file["session_name"][session])
            chunk = next(r for r in dataset.recordings if r.session == name).open().read()
            expected = (signal[:, start : start + length] * scale[:, None]).T.astype(np.float32)
            np.testing.assert_array_equal(chunk.x, expected)
            assert chunk.seq[0] == 0  # as in UCI HAR, whose window starts are offsets into these recordings


def test_seglearn_wheel_agrees_with_its_quantised_copy(shared_data: Path, tmp_path: Path) -> None:
    try:
        source = resolve("formats", FORMATS, "seglearn")(Path("installed"), ImportOptions())
    except MissingError as error:
        pytest.skip(f"{error}; {error.hint}")
    original = write_dataset(source, tmp_path / "a")
    quantised = imported("npz", shared_data / "imu/seglearn_watch/seglearn_watch.npz", tmp_path / "b")
    assert [r.name for r in original.recordings] == [r.name for r in quantised.recordings]
    assert original.labels == quantised.labels
    for a, b in zip(original.recordings, quantised.recordings, strict=True):
        first, second = a.open(), b.open()
        assert first.labels == second.labels
        np.testing.assert_allclose(first.read().x, second.read().x, atol=0.5 / 1024 + 1e-6)


def test_seglearn_demo_split_covers_the_dataset(shared_data: Path, tmp_path: Path) -> None:
    dataset = imported("npz", shared_data / "imu/seglearn_watch/seglearn_watch.npz", tmp_path / "d")
    windows = cut(dataset, window=100, hop=50)
    for name in ("seglearn.demo.json", "seglearn.loso.seed0.json"):
        split = load_split(SPLITS / name)
        for fold in split.folds:
            train, validation, test = fold.indices(windows)
            assert len(train) + len(validation) + len(test) == len(windows)
            assert audit(windows, np.concatenate([train, validation]), test, split.protocol) == ()
            assert set(windows.y[test].tolist()) == set(range(7))


@pytest.mark.slow
def test_every_file_gives_the_figures_of_its_readme(shared_data: Path, tmp_path: Path) -> None:
    cases = [
        ("motionsense/motionsense_devicemotion.npz", 128, 64, 21539, 24, "motionsense.subject5.seed0.json"),
        ("dsads/dsads_acc_gyro.npz", 125, 125, 9120, 8, "dsads.loso.seed0.json"),
        ("wisdm_watch/wisdm_watch.npz", 200, 200, None, 46, "wisdm.subject5.seed0.json"),
    ]
    for file, window, hop, count, subjects, split_name in cases:
        dataset = imported("npz", shared_data / "imu" / file, tmp_path / split_name)
        windows = cut(dataset, window=window, hop=hop)
        assert count is None or len(windows) == count
        assert len(dataset.subjects) == subjects
        split = load_split(SPLITS / split_name)
        assert split == make_split(dataset, split.protocol, k=5, seed=0)
        for fold in split.folds:
            train, validation, test = fold.indices(windows)
            assert audit(windows, np.concatenate([train, validation]), test, split.protocol) == ()


@pytest.mark.slow
def test_csi_files(shared_data: Path, tmp_path: Path) -> None:
    cases = [
        ("esp32_tvat7/tvat7.npz", 42, "iq", 95476),
        ("esp32_uabc4/uabc4.npz", 160, "iq", 116244),
        ("esp32s3_fall3/fall3.npz", 900, "iq", 81012),
        ("nexmon_fition6/fition6.npz", 780, "amp_n64", 780 * 250),
    ]
    for name, recordings, member, frames in cases:
        dataset = imported("csi-npz", shared_data / "csi" / name, tmp_path / name)
        assert len(dataset.recordings) == recordings
        chunks = [recording.open().read() for recording in dataset.recordings]
        assert sum(map(len, chunks)) == frames
        assert all((np.diff(chunk.t_dev_ns) > 0).all() for chunk in chunks)
        with np.load(shared_data / "csi" / name) as file:
            scale = 1.0 if member == "iq" else 1 / 64
            number = next(i for i, r in enumerate(dataset.recordings) if "_000-" in r.name)
            first = file[member].reshape(frames, -1)[: len(chunks[number])]
            np.testing.assert_array_equal(chunks[number].x, (first * scale).astype(np.float32))
