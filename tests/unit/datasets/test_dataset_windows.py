"""Windows: where they start, what they are labelled, and that they never cross a hole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_sets import dataset, people, session

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.windows import cut
from edgehar.errors import InputError, MissingError, UsageError


def test_windows_are_the_samples_they_say(tmp_path: Path) -> None:
    made = session("1", "a", np.zeros(200, int))
    windows = cut(dataset(tmp_path / "d", [made]), window=64, hop=32)
    assert windows.start.tolist() == [0, 32, 64, 96, 128]
    for x, start in zip(windows.x, windows.start, strict=True):
        np.testing.assert_array_equal(x, made.x[start : start + 64])
    assert set(windows.recording.tolist()) == {"1_a"}
    assert windows.x.flags["C_CONTIGUOUS"]


def test_a_window_has_one_label_all_the_way(tmp_path: Path) -> None:
    codes = np.repeat([0, -1, 1], [100, 50, 100])
    made = dataset(tmp_path / "d", [session("1", "a", codes)])
    pure = cut(made, window=50, hop=25)
    assert pure.start.tolist() == [0, 25, 50, 150, 175, 200]
    assert pure.y.tolist() == [0, 0, 0, 1, 1, 1]
    half = cut(made, window=50, hop=25, purity=0.5)
    assert half.start.tolist() == [0, 25, 50, 75, 125, 150, 175, 200]


def test_no_window_crosses_a_gap(tmp_path: Path) -> None:
    t_ns = np.arange(200) * 20_000_000
    t_ns[120:] += 20_000_000  # one sample is missing
    windows = cut(dataset(tmp_path / "d", [session("1", "a", np.zeros(200, int), t_ns=t_ns)]), window=50, hop=10)
    assert windows.start.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 120, 130, 140, 150]


def test_windows_with_nan_are_left_out(tmp_path: Path) -> None:
    made = session("1", "a", np.zeros(200, int))
    made.x[70, 1] = np.nan
    assert cut(dataset(tmp_path / "d", [made]), window=50, hop=50).start.tolist() == [0, 100, 150]


def test_classes_are_chosen_and_ordered_by_name(tmp_path: Path) -> None:
    made = people(tmp_path / "d", 2)
    assert cut(made, window=50, hop=50, classes=["sit", "walk"]).labels == ("sit", "walk")
    only = cut(made, window=50, hop=50, classes=["sit"])
    assert set(only.y.tolist()) == {0}
    assert set(only.recording.tolist()) == {"01_s1", "02_s1"}
    with pytest.raises(UsageError, match="no class jog"):
        cut(made, window=50, hop=50, classes=["jog"])


def test_one_person_only(tmp_path: Path) -> None:
    assert set(cut(people(tmp_path / "d", 3), window=50, hop=50, subjects=["02"]).subject.tolist()) == {"02"}


def test_refusals(tmp_path: Path) -> None:
    made = people(tmp_path / "d", 1)
    with pytest.raises(InputError, match="no labelled stretch of 5000 samples"):
        cut(made, window=5000, hop=50)
    with pytest.raises(UsageError, match="hop 0"):
        cut(made, window=50, hop=0)
    head = (tmp_path / "d" / "dataset.toml").read_text()
    with pytest.raises(MissingError, match="is not a dataset"):
        Dataset.open(tmp_path)
    cases = [
        ("rate_hz = 50.0", "rate_hz = 25.0", InputError, "has channels, units, rate"),
        ("schema_version = 1", "schema_version = 9", InputError, "schema_version is 9"),
        ('name = "small"', "name = small", InputError, "is not TOML"),
        ('labels = ["walk", "sit"]', 'labels = "walk"', InputError, "labels is 'walk'"),
    ]
    for old, new, kind, message in cases:
        (tmp_path / "d" / "dataset.toml").write_text(head.replace(old, new))
        with pytest.raises(kind, match=message) as caught:
            cut(Dataset.open(tmp_path / "d"), window=50, hop=50)
        assert caught.value.hint
