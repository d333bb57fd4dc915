"""Who trains and who is tested: official, by subject, leave one subject out, by session or room, and mixed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.types import IntArray

SCHEMA_VERSION = 1
PROTOCOLS = ("official", "official-kfold", "subject", "loso", "session", "environment", "mixed")
VALIDATION_SHARE = 1 / 6  # of the training subjects, for early stopping and model selection
Indices = tuple[IntArray, IntArray, IntArray]


class Fold(Protocol):
    """One way to divide windows."""

    def indices(self, windows: WindowSet) -> Indices:
        """Row numbers for training, inner validation and test, disjoint, each in the order of `windows`."""
        ...

    def json(self) -> dict[str, Any]:
        """As written to a split file."""
        ...


@dataclass(frozen=True, slots=True)
class GroupFold:
    """Whole subjects, or whole recordings, on either side; names that `windows` does not hold are passed over.

    `validation` is taken from the training side and not listed in `train` again: fit on both once the recipe stands.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    by: Literal["subject", "recording"] = "subject"

    def indices(self, windows: WindowSet) -> Indices:
        """See `Fold`. Raises InputError if nothing is left to train or test on."""
        names = windows.subject if self.by == "subject" else windows.recording
        train, validation, test = (
            np.flatnonzero(np.isin(names, list(side))) for side in (self.train, self.validation, self.test)
        )
        if not len(train) or not len(test):
            held = ", ".join(sorted(set(names.tolist()))[:8])
            side, listed = ("train", self.train) if not len(train) else ("test", self.test)
            raise InputError(
                f"none of the {self.by}s {', '.join(listed[:5])}... that {side} in this split has a window",
                reason=Reason.VALUE,
                hint=f"the windows hold: {held}...; make the split from this dataset",
            )
        return train, validation, test

    def json(self) -> dict[str, Any]:
        """See `Fold`."""
        return {"train": list(self.train), "validation": list(self.validation), "test": list(self.test)}


@dataclass(frozen=True, slots=True)
class MixedFold:
    """Part `part` of `parts` random parts of the windows is tested; people are on both sides.

    A window's place depends on the seed, its recording and its start only, never on the order of the windows.
    """

    part: int
    parts: int
    seed: int

    def indices(self, windows: WindowSet) -> Indices:
        """See `Fold`."""
        digests = [
            hashlib.sha256(f"{self.seed}:{recording}:{start}".encode()).digest()
            for recording, start in zip(windows.recording.tolist(), windows.start.tolist(), strict=True)
        ]
        order = np.array(sorted(range(len(digests)), key=digests.__getitem__), np.int64)
        parts = np.array_split(order, self.parts)
        rest = np.concatenate([part for number, part in enumerate(parts) if number != self.part])
        held = round(len(rest) * VALIDATION_SHARE)
        return np.sort(rest[held:]), np.sort(rest[:held]), np.sort(parts[self.part])

    def json(self) -> dict[str, Any]:
        """See `Fold`."""
        return {"part": self.part, "parts": self.parts}


@dataclass(frozen=True, slots=True)
class Split:
    """All folds of one protocol."""

    name: str
    protocol: str
    folds: tuple[Fold, ...]
    seed: int = 0
    dataset: str = ""


def make_split(dataset: Dataset, protocol: str, *, k: int = 5, seed: int = 0) -> Split:
    """The split of `dataset` by one of `PROTOCOLS`; the same arguments give the same split on every machine."""
    random = np.random.default_rng(seed)
    folds: tuple[Fold, ...]
    if protocol == "official":
        train, test = _official(dataset)
        folds = (_by_subject(train, test, random),)
    elif protocol == "official-kfold":
        folds = _kfold(_official(dataset)[0], k, random, dataset)
    elif protocol == "subject":
        folds = _kfold(dataset.subjects, k, random, dataset)
    elif protocol == "loso":
        people = dataset.subjects
        _check_k(people, len(people), "subject", dataset)
        folds = tuple(_by_subject([p for p in people if p != one], [one], random) for one in people)
    elif protocol in ("session", "environment"):
        folds = _by_group(dataset, protocol, k, random)
    elif protocol == "mixed":
        if k < 2:
            raise UsageError(f"{k} random parts", reason=Reason.VALUE, hint="choose 2 folds or more: --folds")
        folds = tuple(MixedFold(part, k, seed) for part in range(k))
    else:
        raise UsageError(
            f"no split is called '{protocol}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose one of: {', '.join(PROTOCOLS)}, or give a split file (.json)",
        )
    return Split(f"{dataset.name}.{protocol}", protocol, folds, seed, dataset.name)


def hold_out(dataset: Dataset, subjects: Sequence[str], *, seed: int = 0) -> Split:
    """One fold that tests on `subjects` and trains on everybody else."""
    unknown = sorted(set(subjects) - set(dataset.subjects))
    if unknown or not subjects:
        raise UsageError(
            f"{dataset.path} has no subject {', '.join(unknown) or 'to hold out'}",
            reason=Reason.UNKNOWN_NAME,
            hint=f"choose from: {', '.join(dataset.subjects)}",
        )
    rest = [person for person in dataset.subjects if person not in subjects]
    if not rest:
        raise UsageError(
            f"all {len(subjects)} people of {dataset.path} would be tested, nobody trained on",
            reason=Reason.VALUE,
            hint="hold out fewer people",
        )
    fold = _by_subject(rest, subjects, np.random.default_rng(seed))
    return Split(f"{dataset.name}.holdout-{'-'.join(subjects)}", "subject", (fold,), seed, dataset.name)


def save_split(split: Split, path: str | os.PathLike[str]) -> None:
    """Write `split` as JSON, one fold a line."""
    by = next((fold.by for fold in split.folds if isinstance(fold, GroupFold)), "window")
    head = {"schema_version": SCHEMA_VERSION, "name": split.name, "dataset": split.dataset}
    head |= {"protocol": split.protocol, "seed": split.seed, "by": by}
    lines = ",\n".join("  " + json.dumps(fold.json()) for fold in split.folds)
    text = json.dumps(head)[:-1] + f', "folds": [\n{lines}\n]}}\n'
    Path(path).write_text(text, encoding="utf-8")


def load_split(path: str | os.PathLike[str]) -> Split:
    """Inverse of `save_split`; the error names file, fold and key."""
    path = Path(path)
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingError(
            f"there is no split file {path}", reason=Reason.NOT_FOUND, hint=f"or choose one of: {', '.join(PROTOCOLS)}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"it is not JSON: {error}") from error
    if not isinstance(head, dict) or head.get("schema_version") != SCHEMA_VERSION:
        raise _bad(path, f"schema_version is not {SCHEMA_VERSION}")
    folds = []
    listed = head.get("folds")
    for number, fold in enumerate(listed if isinstance(listed, list) else ()):
        try:
            folds.append(_fold(fold, head))
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(path, f"fold {number} is {fold!r} ({error})") from error
    if not folds:
        raise _bad(path, "it lists no fold")
    try:
        split = Split(str(head["name"]), str(head["protocol"]), tuple(folds), int(head["seed"]), str(head["dataset"]))
    except KeyError as error:
        raise _bad(path, f"it lacks {error}") from error
    except (TypeError, ValueError) as error:
        raise _bad(path, f"seed is {head['seed']!r}, not a whole number") from error
    if split.protocol not in PROTOCOLS:
        raise _bad(path, f"protocol is '{split.protocol}', not one of {', '.join(PROTOCOLS)}")
    return split


def _fold(fold: Mapping[str, Any], head: Mapping[str, Any]) -> Fold:
    by = head["by"]
    if by == "window":
        return MixedFold(int(fold["part"]), int(fold["parts"]), int(head["seed"]))
    if by not in ("subject", "recording"):
        raise ValueError(f"by = {by!r}")
    sides = [tuple(_names(fold[side])) for side in ("train", "validation", "test")]
    listed = [name for side in sides for name in side]
    if len(set(listed)) < len(listed):
        raise ValueError(f"{next(name for name in listed if listed.count(name) > 1)} is listed twice")
    return GroupFold(sides[0], sides[1], sides[2], by)


def _names(side: object) -> list[str]:
    """A list of texts; a bare text would be taken for its letters."""
    if not isinstance(side, list) or not all(isinstance(name, str) for name in side):
        raise TypeError(f"{side!r} is not a list of texts")
    return side


def _bad(path: Path, what: str) -> InputError:
    return InputError(f"{path}: {what}", reason=Reason.FORMAT, hint="docs/formats.md describes split files")


def _official(dataset: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not dataset.official_test:
        raise UsageError(
            f"{dataset.name} has no official split",
            reason=Reason.UNKNOWN_NAME,
            hint="choose --split subject, loso or mixed",
        )
    return dataset.official_train, dataset.official_test


def _by_subject(train: Sequence[str], test: Sequence[str], random: np.random.Generator) -> GroupFold:
    people = random.permutation(np.array(sorted(train), np.str_)).tolist()
    held = min(max(1, round(len(people) * VALIDATION_SHARE)), len(people) - 1)
    return GroupFold(tuple(sorted(people[held:])), tuple(sorted(people[:held])), tuple(sorted(test)))


def _kfold(people: Sequence[str], k: int, random: np.random.Generator, dataset: Dataset) -> tuple[Fold, ...]:
    _check_k(people, k, "subject", dataset)
    parts = np.array_split(random.permutation(np.array(sorted(people), np.str_)), k)
    return tuple(_by_subject(sorted(set(people) - set(part.tolist())), part.tolist(), random) for part in parts)


def _by_group(dataset: Dataset, what: str, k: int, random: np.random.Generator) -> tuple[Fold, ...]:
    """At most k folds of whole sessions or rooms; the folds list recordings, because subjects may be on both sides."""
    members: dict[str, list[str]] = {}
    for recording in dataset.recordings:
        # Several recordings may belong to one session, which then stands in the extra metadata.
        group = recording.extra.get(what, getattr(recording, what))
        members.setdefault(group, []).append(recording.name)
    groups = sorted(members)
    k = min(k, len(groups))
    _check_k(groups, k, what, dataset)
    folds = []
    for part in np.array_split(random.permutation(np.array(groups, np.str_)), k):
        test = [name for group in part.tolist() for name in members[group]]
        rest = random.permutation(np.array(sorted(set(groups) - set(part.tolist())), np.str_)).tolist()
        held = max(1, round(len(rest) * VALIDATION_SHARE)) if len(rest) > 1 else 0
        train = [name for group in rest[held:] for name in members[group]]
        validation = [name for group in rest[:held] for name in members[group]]
        sides = [tuple(sorted(side)) for side in (train, validation, test)]
        folds.append(GroupFold(sides[0], sides[1], sides[2], by="recording"))
    return tuple(folds)


def _check_k(names: Sequence[str], k: int, what: str, dataset: Dataset) -> None:
    if not 2 <= k <= len(names):
        raise UsageError(
            f"{dataset.path} has {len(names)} distinct {what}s, which do not make {k} folds",
            reason=Reason.VALUE,
            hint=f"choose between 2 and {len(names)} folds" if len(names) > 1 else "choose another --split",
        )
