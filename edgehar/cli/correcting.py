"""What `edgehar run --calibration` does to a stream on its way to the model; a recording gets what the sensor said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.calibration import Calibration
    from edgehar.types import Chunk, StreamSpec

NONE = "none"


def calibrations_of(texts: Sequence[str], source: Any) -> dict[str, Calibration]:
    """By sensor, "" for the only one: those asked for, else those that were recorded beside what is replayed.

    source: entered. "none" asks for none, recorded or not.
    """
    from edgehar.calibration import named_calibrations

    sensors: dict[str, Any] = getattr(source, "sources", {"": source})
    if NONE in texts:
        if len(texts) > 1:
            raise UsageError(
                f"--calibration {NONE} and another one", reason=Reason.VALUE, hint=f"give {NONE} alone, or leave it out"
            )
        return {}
    if texts:
        return named_calibrations(texts, list(sensors))
    recorded = {name: getattr(one, "calibration", None) for name, one in sensors.items()}
    return {name: found for name, found in recorded.items() if found is not None}


def corrected_by(calibrations: dict[str, Calibration], spec: StreamSpec) -> Callable[[Chunk], Chunk] | None:
    """What to do to every chunk of the stream; None where nothing is."""
    if not calibrations:
        return None
    from edgehar.calibration import correction

    corrections = [correction(found, spec, sensor) for sensor, found in calibrations.items()]

    def correct(chunk: Chunk) -> Chunk:
        for one in corrections:
            chunk = one.apply(chunk)
        return chunk

    return correct
