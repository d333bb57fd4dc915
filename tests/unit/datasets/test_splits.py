"""Splits: everybody is tested once, nobody is on two sides, the same seed gives the same folds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_sets import people

from edgehar.datasets.audit import audit
from edgehar.datasets.splits import GroupFold, hold_out, load_split, make_split, save_split
from edgehar.datasets.windows import cut
from edgehar.errors import InputError, MissingError, UsageError


@pytest.mark.parametrize(("protocol", "folds"), [("subject", 5), ("loso", 11), ("environment", 2), ("session", 2)])
def test_groups_are_tested_once_and_pass_the_audit(tmp_path: Path, protocol: str, folds: int) -> None:
    made = people(tmp_path / "d", 11, 120)
    windows = cut(made, window=50, hop=25)
    split = make_split(made, protocol, k=5, seed=1)
    assert len(split.folds) == folds
    tested = []
    for fold in split.folds:
        train, validation, test = fold.indices(windows)
        audit(windows, np.concatenate([train, validation]), test, protocol)
        assert len(np.unique(np.concatenate([train, validation, test]))) == len(windows)
        if protocol in ("subject", "loso"):
            assert len(validation)
            assert not set(windows.subject[train]) & set(windows.subject[validation])
        tested.append(test)
    assert sorted(np.concatenate(tested).tolist()) == list(range(len(windows)))


def test_mixed_parts_are_even_and_do_not_depend_on_order(tmp_path: Path) -> None:
    windows = cut(people(tmp_path / "d", 5, 400), window=20, hop=20)
    made = make_split(people(tmp_path / "e", 5, 400), "mixed", k=3, seed=2)
    tested = [fold.indices(windows)[2] for fold in made.folds]
    assert sorted(np.concatenate(tested).tolist()) == list(range(len(windows)))
    assert max(map(len, tested)) - min(map(len, tested)) <= 1
    order = np.random.default_rng(0).permutation(len(windows))
    again = made.folds[0].indices(windows.take(order))[2]
    assert set(order[again].tolist()) == set(tested[0].tolist())
    train, validation, test = made.folds[1].indices(windows)
    assert audit(windows, np.concatenate([train, validation]), test, "mixed") == ("MIXED-SUBJECT",)


def test_official_and_its_recipe_folds_never_touch_the_test_people(tmp_path: Path) -> None:
    made = people(tmp_path / "d", 6, official_train=("01", "02", "03", "04"), official_test=("05", "06"))
    (official,) = make_split(made, "official").folds
    assert isinstance(official, GroupFold)
    assert official.test == ("05", "06")
    assert sorted(official.train + official.validation) == ["01", "02", "03", "04"]
    for fold in make_split(made, "official-kfold", k=4).folds:
        assert isinstance(fold, GroupFold)
        assert not {"05", "06"} & {*fold.train, *fold.validation, *fold.test}


def test_hold_out(tmp_path: Path) -> None:
    made = people(tmp_path / "d", 4)
    (fold,) = hold_out(made, ["02"]).folds
    assert isinstance(fold, GroupFold)
    assert fold.test == ("02",)
    with pytest.raises(UsageError, match="no subject 09"):
        hold_out(made, ["09"])


@pytest.mark.parametrize("protocol", ["subject", "session", "mixed"])
def test_files_come_back(tmp_path: Path, protocol: str) -> None:
    split = make_split(people(tmp_path / "d", 6), protocol, k=2, seed=7)
    save_split(split, tmp_path / "s.json")
    assert load_split(tmp_path / "s.json") == split


def test_refusals_name_file_and_fold(tmp_path: Path) -> None:
    made = people(tmp_path / "d", 3)
    cases = [("officail", "no split is called"), ("official", "has no official split")]
    for protocol, message in cases:
        with pytest.raises(UsageError, match=message):
            make_split(made, protocol)
    with pytest.raises(UsageError, match="3 distinct subjects"):
        make_split(made, "subject", k=4)
    with pytest.raises(MissingError, match="no split file"):
        load_split(tmp_path / "absent.json")
    path = tmp_path / "s.json"
    save_split(make_split(made, "loso"), path)
    whole = json.loads(path.read_text())
    for change, message in [
        ({"folds": []}, "lists no fold"),
        ({"folds": [{"train": ["01"]}]}, "fold 0 is"),
        ({"schema_version": 2}, "schema_version"),
        ({"by": "moon"}, "fold 0"),
        ({"protocol": "lsoo"}, "protocol is 'lsoo'"),
        ({"folds": [{"train": ["01"], "validation": ["02"], "test": ["02"]}]}, "02 is listed twice"),
    ]:
        path.write_text(json.dumps(whole | change))
        with pytest.raises(InputError, match=message) as caught:
            load_split(path)
        assert str(path) in str(caught.value)
    path.write_text(json.dumps({key: value for key, value in whole.items() if key != "seed"}))
    with pytest.raises(InputError, match="it lacks 'seed'"):
        load_split(path)
    path.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        load_split(path)


def test_a_split_of_another_dataset_is_refused(tmp_path: Path) -> None:
    windows = cut(people(tmp_path / "d", 3), window=50, hop=50)
    with pytest.raises(InputError, match="none of the subjects 77"):
        GroupFold(("01",), (), ("77",)).indices(windows)
