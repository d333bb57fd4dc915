"""A dataset on disk: `dataset.toml` beside `recordings/<subject>_<session>.mcap`."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgehar.errors import InputError, MissingError, Reason
from edgehar.recording import Recording
from edgehar.types import IntArray

SCHEMA_VERSION = 1
HEAD_FILE = "dataset.toml"
RECORDINGS = "recordings"
WINDOW_STARTS = "window_starts"  # key in a recording's extra metadata


@dataclass(frozen=True, slots=True)
class RecordingRef:
    """One recording of a dataset, known by the head of its file; `open` reads more.

    window_starts: running numbers (`Chunk.seq`) of the first samples of the windows that the source came cut into.
    """

    path: Path
    subject: str
    session: str
    placement: str
    environment: str
    window_starts: IntArray | None
    extra: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's stem: what `WindowSet.recording` holds."""
        return self.path.stem

    def open(self) -> Recording:
        """The recording itself."""
        return Recording.open(self.path)


class Dataset:
    """An opened dataset directory."""

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        self.path = path
        self.name: str = head["name"]
        self.format: str = head.get("format", "")
        self.labels = tuple(head["labels"])
        self.channels = tuple(head["channels"])
        self.units = tuple(head["units"])
        self.rate_hz = float(head["rate_hz"])
        self.licence: str = head.get("licence", "")
        self.citation: str = head.get("citation", "")
        self.source: str = head.get("source", "")
        self.applied_preprocess: str = head.get("applied_preprocess", "")
        windows = head.get("windows", {})
        self.window = int(windows.get("window", 0))
        self.hop = int(windows.get("hop", 0))
        official = head.get("official", {})
        self.official_train = tuple(official.get("train", ()))
        self.official_test = tuple(official.get("test", ()))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Read `dataset.toml`. Raises MissingError or InputError that names the file, the key and the value."""
        path = Path(path)
        return cls(path, _read_head(path))

    @cached_property
    def recordings(self) -> list[RecordingRef]:
        """All recordings, sorted by file name, which is by subject and session."""
        paths = sorted((self.path / RECORDINGS).glob("*.mcap"))
        if not paths:
            raise MissingError(
                f"{self.path / RECORDINGS} holds no recording",
                reason=Reason.NOT_FOUND,
                hint="import the dataset again: edgehar import FORMAT PATH --out DIR",
            )
        return [_reference(path) for path in paths]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody in it, sorted."""
        return tuple(sorted({recording.subject for recording in self.recordings}))


def _reference(path: Path) -> RecordingRef:
    recording = Recording.open(path)
    starts = recording.extra.get(WINDOW_STARTS)
    return RecordingRef(
        path=path,
        subject=recording.subject,
        session=recording.session,
        placement=recording.placement,
        environment=recording.environment,
        window_starts=None if starts is None else np.array(json.loads(starts), np.int64),
        extra={key: value for key, value in recording.extra.items() if key != WINDOW_STARTS},
    )


def _read_head(path: Path) -> Mapping[str, Any]:
    file = path / HEAD_FILE
    try:
        head = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingError(
            f"{path} is not a dataset: it has no {HEAD_FILE}",
            reason=Reason.NOT_FOUND,
            hint=f"make it with: edgehar import FORMAT PATH --out {path}",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} is not TOML: {error}", reason=Reason.FORMAT, hint="mend that line, or import the dataset again"
        ) from error
    if head.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{file}: schema_version is {head.get('schema_version')!r}; this edgehar reads {SCHEMA_VERSION}",
            reason=Reason.VERSION,
            hint="import the dataset again with this edgehar",
        )
    kinds: dict[str, type | tuple[type, ...]] = {
        "name": str,
        "labels": list,
        "channels": list,
        "units": list,
        "rate_hz": (int, float),
    }
    for key, kind in kinds.items():
        if not isinstance(head.get(key), kind):
            raise InputError(
                f"{file}: {key} is {head.get(key)!r}",
                reason=Reason.FORMAT,
                hint=f"give {key} as in docs/formats.md, or import the dataset again",
            )
    _check_lists(file, head)
    return head


def _check_lists(file: Path, head: Mapping[str, Any]) -> None:
    """Names are texts, a unit for each channel; windows and official are tables."""
    tables = {key: head.get(key, {}) for key in ("windows", "official")}
    lists = {key: head[key] for key in ("labels", "channels", "units")}
    wrong = [key for key, names in lists.items() if not all(isinstance(name, str) for name in names)]
    wrong += [key for key, table in tables.items() if not isinstance(table, Mapping)]
    if not wrong and not all(isinstance(value, int) for value in tables["windows"].values()):
        wrong.append("windows")
    if len(head["units"]) != len(head["channels"]):
        wrong.append("units")
    if not head["rate_hz"] > 0:
        wrong.append("rate_hz")
    if wrong:
        raise InputError(
            f"{file}: {wrong[0]} is {head[wrong[0]]!r}",
            reason=Reason.FORMAT,
            hint=f"give {wrong[0]} as in docs/formats.md, or import the dataset again",
        )
