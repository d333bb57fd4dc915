"""What an accuracy row is measured on (tasks/*.toml) and how its model is trained (recipes/*.toml)."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rows import locked

from edgehar.datasets import FORMATS
from edgehar.datasets.session import ImportOptions
from edgehar.datasets.store import write_dataset
from edgehar.datasets.windowset import WindowSet
from edgehar.datasets.worn import sensors_text
from edgehar.errors import InputError, MissingError, Reason
from edgehar.registry import resolve
from edgehar.train.settings import Settings

HERE = Path(__file__).parent
SETTINGS = ("options", "recipe")
GENERATION = 1
"""Part of every cache key: raise it when a change of the training code changes results."""


@dataclass(frozen=True, slots=True)
class Task:
    """A dataset, its windows and its split file, in whose name `{seed}` stands for the run's seed.

    `classes` is a list of labels, or new label -> labels merged into it. `rate_hz`: of the stream that windows are cut
    from, 0 for the dataset's own. `sensors`: the units that are worn, by the sensors' names; none: all.
    """

    name: str
    title: str
    format: str
    path: str
    split: str
    window: int
    hop: int
    classes: tuple[str, ...] | Mapping[str, list[str]] = ()
    rate_hz: float = 0.0
    sensors: Mapping[str, str] = field(default_factory=dict)

    def split_file(self, seed: int) -> str:
        """Name of the split that the run with this seed uses."""
        return self.split.format(seed=seed)


@dataclass(frozen=True, slots=True)
class Plan:
    """One row: a model with its options and recipe, trained on every fold of a task with every seed."""

    id: str
    task: Task
    model: str
    settings: Settings
    seeds: tuple[int, ...]
    test_selected: bool = False
    note: str = ""

    def key(self, seed: int) -> str:
        """Names the runs with this seed in the cache: equal for equal work, whatever the row is called."""
        work = {
            "generation": GENERATION,
            "task": {
                **_as_ever(asdict(self.task)),
                "title": "",
                "split": _sha256(HERE / "splits" / self.task.split_file(seed)),
            },
            "model": self.model,
            "settings": {} if self.model == "rf" else changes(self.settings.to_dict(), Settings().to_dict()),
            "test_selected": self.test_selected,
        }
        return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:16]


def _as_ever(task: dict[str, Any]) -> dict[str, Any]:
    """So that rows of tasks that name no rate and no sensors keep their cached results."""
    return {name: value for name, value in task.items() if name not in ("rate_hz", "sensors") or value}


def changes(table: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, so that a new setting that is off leaves cached results alone."""
    found = {}
    for name, value in table.items():
        default = plain.get(name)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found[name] = changes(value, default)
        elif name not in plain or value != default:
            found[name] = value
    return found


def load_task(name: str) -> Task:
    """Read tasks/NAME.toml."""
    table = _read_toml(HERE / "tasks" / f"{name}.toml")
    classes = table.pop("classes", ())
    return Task(name=name, classes=tuple(classes) if isinstance(classes, list) else classes, **table)


def load_plan(row_id: str) -> Plan:
    """Read recipes/ROW_ID.toml: task, model, [options], [recipe], seeds, and test_selected."""
    path = HERE / "recipes" / f"{row_id}.toml"
    table = _read_toml(path)
    unknown = set(table) - {"task", "model", "seeds", "test_selected", "note", *SETTINGS}
    if unknown:
        raise InputError(f"{path}: no setting {sorted(unknown)[0]}", reason=Reason.UNKNOWN_NAME, hint="see recipes/")
    return Plan(
        id=row_id,
        task=load_task(table["task"]),
        model=table["model"],
        settings=Settings.from_dict({k: v for k, v in table.items() if k in SETTINGS}, where=str(path)),
        seeds=tuple(table["seeds"]),
        test_selected=table.get("test_selected", False),
        note=table.get("note", ""),
    )


def known_rows() -> list[str]:
    """Every row that has a recipe."""
    return sorted(path.stem for path in (HERE / "recipes").glob("acc.*.toml"))


def load_dataset_dir(task: Task, data: Path, cache: Path) -> Path:
    """The imported dataset of a task, imported once through `edgehar import`'s own code."""
    source = data / task.path
    if not source.exists():
        raise MissingError(f"{source} is not there", reason=Reason.NOT_FOUND, hint="give --data DIR")
    out = cache / "datasets" / f"{task.format}_{_stat_key(source)}"
    with locked(out.parent):
        if (out / "dataset.toml").exists():
            return out
        write_dataset(resolve("formats", FORMATS, task.format)(source, ImportOptions()), out)
    return out


def load_windows(task: Task, dataset: Path, cache: Path) -> WindowSet:
    """The task's windows, cut once; x is mapped from disk so that parallel jobs share it."""
    cut = [dataset.name, task.window, task.hop, task.classes, *([task.rate_hz] if task.rate_hz else [])]
    cut += [sensors_text(task.sensors)] if task.sensors else []
    key = json.dumps(cut, sort_keys=True)
    folder = cache / "windows" / hashlib.sha256(key.encode()).hexdigest()[:16]
    with locked(folder.parent):
        if not (folder / "head.json").exists():
            _cut_and_store(task, dataset, folder)
    head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
    given: dict[str, Any] = {name: np.load(folder / f"{name}.npy") for name in ARRAYS}
    given |= {name: tuple(value) if isinstance(value, list) else value for name, value in head.items()}
    return WindowSet(x=np.load(folder / "x.npy", mmap_mode="r"), **given)


ARRAYS = ("y", "subject", "recording", "start")


def _cut_and_store(task: Task, dataset: Path, folder: Path) -> None:
    from edgehar.datasets.dataset import Dataset
    from edgehar.datasets.uniform import UniformStream
    from edgehar.train.classes import cut_classes

    opened = Dataset.open(dataset)
    stream = UniformStream.of(opened, task.rate_hz, task.sensors)
    windows = cut_classes(opened, window=task.window, hop=task.hop, classes=task.classes, stream=stream)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("x", *ARRAYS):
        np.save(folder / f"{name}.npy", getattr(windows, name))
    head = {name: getattr(windows, name) for name in ("labels", "channels", "units", "rate_hz", "window", "hop")}
    (folder / "head.json").write_text(json.dumps(head), encoding="utf-8")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml")))
        raise MissingError(f"there is no {path}", reason=Reason.NOT_FOUND, hint=f"choose from: {known}") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}", reason=Reason.FORMAT, hint="mend the TOML at that line") from None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stat_key(path: Path) -> str:
    stat = path.stat()
    return f"{path.stem}_{stat.st_size}"
