"""What a pipeline is shown of a recording: the units that stand for the bundle's sensors, less those that are lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from edgehar.bundle import Bundle
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.worn import Worn, parse_sensors
from edgehar.errors import Reason, UsageError
from edgehar.types import Chunk


@dataclass(frozen=True, slots=True)
class Shown:
    """`worn`: None for recordings that are the bundle's stream as they are. `lost`: columns of its contract."""

    worn: Worn | None
    lost: tuple[int, ...]

    @classmethod
    def of(cls, bundle: Bundle, dataset: Dataset, without: Sequence[str] = ()) -> Self:
        """Raises UsageError for a sensor in `without` that the bundle does not have, and where none would be left."""
        sensors = parse_sensors(bundle.manifest.provenance.get("sensors", ""))
        columns = {sensor.name: sensor.channels for sensor in bundle.manifest.contract.sensors}
        unknown = [name for name in without if name not in columns]
        if unknown or (columns and set(columns) == set(without)):
            raise UsageError(
                f"{bundle.manifest.model_id} cannot go without {', '.join(unknown or without)}",
                reason=Reason.UNKNOWN_NAME if unknown else Reason.VALUE,
                hint=f"its sensors are {', '.join(columns)}; leave at least one" if columns else "it has one sensor",
            )
        lost = tuple(column for name in without for column in columns[name])
        return cls(Worn.of(dataset, sensors) if sensors else None, lost)

    def chunk(self, chunk: Chunk) -> Chunk:
        """A lost sensor's channels are NaN, as where sensors are aligned and one has nothing."""
        seen = chunk if self.worn is None else self.worn.chunk(chunk)
        if not self.lost:
            return seen
        x = seen.x.copy()
        x[:, self.lost] = np.nan
        return replace(seen, x=x)
