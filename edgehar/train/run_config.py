"""What a run is asked for, and what that means on its dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgehar.datasets.dataset import Dataset
from edgehar.datasets.splits import Split, hold_out, load_split, make_split
from edgehar.datasets.uniform import UniformStream
from edgehar.datasets.windowset import WindowSet
from edgehar.datasets.worn import NO_SENSORS, Sensors, parse_sensors, sensors_text
from edgehar.errors import InputError, Reason, UsageError
from edgehar.train.classes import Classes, cut_classes
from edgehar.train.settings import Settings

DEFAULT_WINDOW_S = 2.56
DEFAULT_WINDOW_MULTIPLE = 16
"""The default window is a multiple of this many samples, so that its half, the hop, suits a model's strides."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything that decides a run's result. `split` is a protocol, or the path of a split file (.json).

    window and hop in samples; 0 means the dataset's own windows, or 2.56 s and half of it. `rate_hz` is that of the
    stream they are cut from; 0 means the dataset's own, or 25 Hz for CSI. `test_subjects` holds those people out
    instead of following a protocol. `sensors`: the dataset's units that are worn, by the sensors' names; none: all.
    """

    dataset: str
    model: str
    settings: Settings
    split: str = "subject"
    folds: int = 5
    test_subjects: tuple[str, ...] = ()
    seeds: int = 1
    window: int = 0
    hop: int = 0
    rate_hz: float = 0.0
    classes: Classes = ()
    sensors: Sensors = field(default_factory=lambda: NO_SENSORS)
    allow_leaky: bool = False
    command: str = ""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UsageError(f"{self.seeds} seeds", reason=Reason.VALUE, hint="give 1 or more: --seeds")
        for name, value in (("--window", self.window), ("--hop", self.hop), ("--rate-hz", self.rate_hz)):
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} {value}", reason=Reason.VALUE, hint="give a number above 0, or leave it out")

    def to_dict(self) -> dict[str, Any]:
        """A table that `from_dict` reads back."""
        classes = self.classes
        kept = {name: list(old) for name, old in classes.items()} if isinstance(classes, Mapping) else list(classes)
        plain = ("dataset", "model", "split", "folds", "seeds", "window", "hop", "rate_hz", "allow_leaky", "command")
        return {
            **{name: getattr(self, name) for name in plain},
            "test_subjects": list(self.test_subjects),
            "classes": kept,
            "sensors": sensors_text(self.sensors),
            **self.settings.to_dict(),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], *, where: str) -> RunConfig:
        """Read what `to_dict` wrote. Raises InputError for anything else."""
        if not isinstance(table, Mapping) or not isinstance(table.get("sensors", ""), str):
            raise InputError(f"{where} is not a run's", reason=Reason.FORMAT, hint="start the run again")
        read = ("options", "recipe", "test_subjects", "sensors")
        plain = {name: value for name, value in table.items() if name not in read}
        settings = {name: table[name] for name in ("options", "recipe") if name in table}
        try:
            return cls(
                **plain,
                test_subjects=tuple(table.get("test_subjects", ())),
                sensors=parse_sensors(table.get("sensors", "")),
                settings=Settings.from_dict(settings, where=where),
            )
        except TypeError as error:
            raise InputError(f"{where}: {error}", reason=Reason.FORMAT, hint="start the run again") from None


def load_windows(config: RunConfig, dataset: Dataset) -> WindowSet:
    """The windows that a run trains and tests on."""
    window, hop = config.window, config.hop
    stream = UniformStream.of(dataset, config.rate_hz, config.sensors)
    if not window and not hop and stream is None and dataset.window:
        window, hop = dataset.window, dataset.hop
    if not window:
        rate_hz = dataset.rate_hz if stream is None else stream.rate_hz
        samples = DEFAULT_WINDOW_S * rate_hz / DEFAULT_WINDOW_MULTIPLE
        window = max(1, round(samples)) * DEFAULT_WINDOW_MULTIPLE
    hop = hop or max(1, window // 2)
    windows = cut_classes(dataset, window=window, hop=hop, classes=config.classes, stream=stream)
    if len(windows.labels) < 2:
        raise UsageError(
            f"{dataset.path} has the label {', '.join(windows.labels)} alone, which leaves nothing to tell apart",
            reason=Reason.VALUE,
            hint="record or import a second activity",
        )
    return windows


def choose_split(config: RunConfig, dataset: Dataset) -> Split:
    """The split that a config names."""
    if config.test_subjects:
        return hold_out(dataset, config.test_subjects)
    if config.split.endswith(".json"):
        split = load_split(config.split)
        if split.dataset not in ("", dataset.name):
            raise UsageError(
                f"{config.split} divides the people of '{split.dataset}', {dataset.path} is '{dataset.name}'",
                reason=Reason.VALUE,
                hint="name that dataset's split file, or --split subject",
            )
        return split
    return make_split(dataset, config.split, k=config.folds)
