"""What an importer says of a file that is not what it must be: the place, the value, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehar.datasets import FORMATS
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.splits import hold_out, load_split, make_split
from edgehar.datasets.store import write_dataset
from edgehar.errors import EdgeHarError, InputError, UsageError
from edgehar.registry import resolve
from tests.unit.datasets.small_sets import people

CONTINUOUS: dict[str, Any] = {
    "signal": np.arange(600, dtype=np.int16).reshape(3, 200),
    "scale": np.full(3, 0.01),
    "channels": np.array(["acc_x", "acc_y", "acc_z"]),
    "units": np.array(["g"] * 3),
    "fs": np.float64(50),
    "session_start": np.array([0, 100]),
    "session_length": np.array([100, 100]),
    "session_subject": np.array([1, 2]),
    "session_name": np.array(["1_a", "2_a"]),
    "session_label": np.array([0, 1], np.uint8),
    "label_names": np.array(["walk", "sit"]),
}
WINDOWS: dict[str, Any] = {
    "X_train": np.zeros((4, 8, 3), np.int16),
    "X_test": np.zeros((2, 8, 3), np.int16),
    "scale": np.ones(3),
    **{name: CONTINUOUS[name] for name in ("channels", "units", "fs", "label_names")},
    **{f"{name}_train": np.array(v) for name, v in (("y", [0, 0, 1, 1]), ("subject", [1, 1, 2, 2]))},
    **{f"{name}_train": np.array(v) for name, v in (("exp", [1, 1, 2, 2]), ("start", [0, 8, 0, 8]))},
    **{f"{name}_test": np.array(v) for name, v in (("y", [0, 1]), ("subject", [3, 3]))},
    **{f"{name}_test": np.array(v) for name, v in (("exp", [3, 3]), ("start", [0, 8]))},
}
IQ: dict[str, Any] = {
    "iq": np.ones((40, 4, 2), np.int8),
    "subcarrier": np.arange(1, 5),
    "t_us": np.arange(40) * 10_000,
    "rec_offset": np.array([0, 20, 40]),
    "rec_label": np.array([0, 1]),
    "rec_name": np.array(["a", "b"]),
    "label_names": np.array(["x", "y"]),
}
AMPLITUDE: dict[str, Any] = {
    "amp_n64": np.ones((2, 20, 4), np.uint8),
    "frame_mean_amp": np.ones((2, 20)),
    "duration_s": np.array([2.0, 2.0]),
    "subcarrier": np.arange(4),
    "label_names": np.array(["x", "y"]),
    "name": np.array(["a", "b"]),
    **{name: np.array([0, 1]) for name in ("label", "user", "room")},
}
FILES = {
    "npz": ("npz", CONTINUOUS),
    "uci-har-npz": ("uci-har-npz", WINDOWS),
    "iq": ("csi-npz", IQ),
    "amplitude": ("csi-npz", AMPLITUDE),
}


def imported(format_: str, path: Path, out: Path, **options: Any) -> Dataset:
    return write_dataset(resolve("formats", FORMATS, format_)(path, ImportOptions(**options)), out)


def distorted(member: np.ndarray) -> dict[str, np.ndarray]:
    """One member in ways that a careless export brings about."""
    ways = {"texts": np.full(member.shape, "zz"), "complex": np.full(member.shape, 1j), "one": member.ravel()[:1]}
    if member.ndim:
        ways |= {"short": member[:-1], "empty": member[:0], "long": np.concatenate([member, member[-1:]])}
        ways |= {"deeper": member[None], "bare": np.array(member.ravel()[0])}
    if member.dtype.kind in "iuf":
        number = member.astype(np.float64)
        ways |= {"negative": -np.abs(number) - 3, "nan": number * np.nan, "fractions": number + 0.5}
        ways |= {"beyond": member.astype(np.int64) + 2**40, "zeros": member * 0, "nines": member * 0 + 9}
    return ways


@pytest.mark.parametrize("kind", FILES)
def test_a_distorted_npz_is_imported_or_refused_by_name(kind: str, tmp_path: Path) -> None:
    format_, members = FILES[kind]
    path = tmp_path / "a.npz"
    np.savez(path, **members)
    assert len(imported(format_, path, tmp_path / "out").recordings) >= 2
    refused = 0
    for name in members:
        for way, wrong in distorted(np.asarray(members[name])).items():
            np.savez(path, **{**members, name: wrong})
            try:
                imported(format_, path, tmp_path / f"{name}-{way}")
            except EdgeHarError:
                refused += 1
    assert refused > 5 * len(members)


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("npz", {"scale": np.ones(2)}, "its member 'scale' has the shape 2, not 3, because 'channels' has 3 channels"),
        ("npz", {"session_label": np.array([0, 7])}, r"session_label\[1\] is 7; it must be from 0 to 1, or 255"),
        ("npz", {"fs": np.array(0.0)}, "fs is 0 Hz"),
        ("npz", {"session_subject": np.array(["a", "b"])}, "'session_subject' is of type <U1, not whole numbers"),
        ("npz", {"channels": np.array(["acc_x", "acc_x", "acc_z"])}, "two channels called 'acc_x'"),
        ("uci-har-npz", {"start_test": np.array([0, 2**40])}, r"start_test\[1\] is 1099511627776"),
        ("iq", {"rec_offset": np.array([0, 30, 20])}, "'rec_offset' must be 3 rising numbers from 0 to 40"),
    ],
)
def test_an_npz_refusal_names_member_and_value(kind: str, changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    format_, members = FILES[kind]
    np.savez(tmp_path / "a.npz", **{**members, **changes})
    with pytest.raises(InputError, match=says):
        imported(format_, tmp_path / "a.npz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_zip_is_not_taken_for_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("t_ns,acc_x\n")
    with pytest.raises(InputError, match="no zip archive") as caught:
        imported("npz", path, tmp_path / "out")
    assert "pickle" not in str(caught.value)


def table(path: Path, unit: str, value: str = "1") -> Path:
    path.write_text(f"t_ns,acc_x[{unit}]\n0,{value}\n20000000,{value}\n40000000,{value}\n")
    return path


def test_tables_in_different_units_are_not_mixed(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    table(folder / "a_1.csv", "g")
    table(folder / "b_1.csv", "m/s^2", "9.8")
    with pytest.raises(InputError, match=r"b_1.csv, row 1: its units are m/s\^2, those of .*a_1.csv g"):
        imported("csv", folder, tmp_path / "out")


@pytest.mark.parametrize("unit", ["m/s^2", "m/s2", "mps2"])
def test_a_unit_has_one_spelling_inside(unit: str, tmp_path: Path) -> None:
    dataset = imported("csv", table(tmp_path / "a.csv", unit), tmp_path / "out")
    assert dataset.units == ("mps2",)
    assert dataset.recordings[0].open().specs["main"].units == ("mps2",)


def test_a_unit_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'banana' is no unit"):
        imported("csv", table(tmp_path / "a.csv", "banana"), tmp_path / "out")


def test_other_separators_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t_ns;acc_x[g]\n0;1\n1;1\n")
    with pytest.raises(InputError, match="cells are separated by commas"):
        imported("csv", tmp_path / "a.csv", tmp_path / "out")


def test_only_a_dataset_is_ever_named_for_removal(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    source = table(tmp_path / "a.csv", "g")
    with pytest.raises(UsageError, match="not an empty directory") as caught:
        imported("csv", source, tmp_path / "home")
    assert "rm" not in caught.value.hint
    imported("csv", source, tmp_path / "ours")
    with pytest.raises(UsageError, match="not an empty directory") as caught:
        imported("csv", source, tmp_path / "ours")
    assert f"rm -r {tmp_path / 'ours'}" in caught.value.hint


SPLIT: dict[str, Any] = {
    "schema_version": 1, "name": "a", "dataset": "", "protocol": "subject", "seed": 0, "by": "subject",
    "folds": [{"train": ["1"], "validation": [], "test": ["2"]}],
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"seed": "x"}, {"seed": None}, {"folds": 5}, {"folds": [5]}, {"folds": [{**SPLIT["folds"][0], "train": "abc"}]}],
)
def test_a_malformed_split_file_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({**SPLIT, **changes}))
    with pytest.raises(InputError, match=r"s\.json"):
        load_split(tmp_path / "s.json")


def test_a_split_leaves_somebody_on_either_side(tmp_path: Path) -> None:
    dataset = people(tmp_path / "set", count=3)
    with pytest.raises(UsageError, match="nobody trained on"):
        hold_out(dataset, dataset.subjects)
    for k in (0, 1):
        with pytest.raises(UsageError, match=f"{k} random parts"):
            make_split(dataset, "mixed", k=k)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('labels = ["walk", "sit"]', "labels = [1, 2]"),
        ('units = ["g", "g"]', 'units = ["g"]'),
        ("rate_hz = 50.0", "rate_hz = 0.0"),
        ("schema_version = 1", "schema_version = 1\nwindows = 5"),
        ("schema_version = 1", 'schema_version = 1\nofficial = "x"'),
    ],
)
def test_a_malformed_dataset_toml_is_refused(old: str, new: str, tmp_path: Path) -> None:
    file = people(tmp_path / "set", count=2).path / "dataset.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError, match=r"dataset.toml: (labels|units|rate_hz|windows|official) is"):
        Dataset.open(file.parent)
