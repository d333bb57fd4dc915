"""Body-worn units of a dataset as the sensors of a model: their channels alone, under the sensors' names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from edgehar.datasets.dataset import Dataset
from edgehar.errors import Reason, UsageError
from edgehar.types import Chunk

Sensors = Mapping[str, str]
"""A sensor's name -> the dataset's unit that stands for it, whose channels are called UNIT.CHANNEL."""

NO_SENSORS: Sensors = MappingProxyType({})


def parse_sensors(text: str) -> dict[str, str]:
    """Read `wrist=left_arm,leg=right_leg` from the command line; a bare `torso` keeps its name.

    >>> parse_sensors("wrist=left_arm, torso")
    {'wrist': 'left_arm', 'torso': 'torso'}
    """
    found: dict[str, str] = {}
    for part in text.split(",") if text.strip() else ():
        name, equals, unit = (piece.strip() for piece in part.partition("="))
        if not name or (equals and not unit) or name in found or "." in name:
            raise UsageError(
                f"--sensors: '{part.strip()}'",
                reason=Reason.VALUE,
                hint="write NAME=UNIT for every sensor, with names that differ and hold no dot: wrist=left_arm",
            )
        found[name] = unit or name
    return found


def sensors_text(sensors: Sensors) -> str:
    """What `parse_sensors` reads back; in JSON the order of an object's keys would be lost, and with it the channels'.

    >>> sensors_text({"wrist": "left_arm", "leg": "right_leg"})
    'wrist=left_arm,leg=right_leg'
    """
    return ",".join(f"{name}={unit}" for name, unit in sensors.items())


@dataclass(frozen=True, slots=True)
class Worn:
    """Columns of a dataset's recordings as a stream of its own.

    Channels are called NAME.CHANNEL; those of a single sensor CHANNEL alone, as such a sensor calls them itself, with
    its name as the placement.
    """

    columns: tuple[int, ...]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    placement: str

    @classmethod
    def of(cls, dataset: Dataset, sensors: Sensors) -> Self:
        """Raises UsageError for a unit that the dataset does not have, and where it has no units at all."""
        if dataset.applied_preprocess:
            raise UsageError(
                f"{dataset.path} holds the outputs of '{dataset.applied_preprocess}', not the channels of units",
                reason=Reason.VALUE,
                hint="leave --sensors out",
            )
        units = dict.fromkeys(name.partition(".")[0] for name in dataset.channels if "." in name)
        columns: list[int] = []
        names: list[str] = []
        for name, unit in sensors.items():
            found = [i for i, channel in enumerate(dataset.channels) if channel.startswith(f"{unit}.")]
            if not found:
                raise UsageError(
                    f"{dataset.path} has no unit '{unit}'",
                    reason=Reason.UNKNOWN_NAME,
                    hint=f"choose from: {', '.join(units) or 'none; its channels have no unit before a dot'}",
                )
            columns += found
            bare = [dataset.channels[i].removeprefix(f"{unit}.") for i in found]
            names += bare if len(sensors) == 1 else [f"{name}.{channel}" for channel in bare]
        return cls(
            tuple(columns),
            tuple(names),
            tuple(dataset.units[i] for i in columns),
            placement=next(iter(sensors)) if len(sensors) == 1 else "",
        )

    def chunk(self, chunk: Chunk) -> Chunk:
        """These columns of a recording's samples."""
        spec = replace(chunk.spec, channels=self.channels, units=self.units, placement=self.placement)
        return replace(chunk, spec=spec, x=chunk.x[:, self.columns])
