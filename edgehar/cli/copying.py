"""What `edgehar run --record` writes: the streams as they left their devices, before anything is done to them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgehar.calibration import Calibration
    from edgehar.tee import Tee
    from edgehar.types import Chunk


def tee_of(
    source: Any, path: Path, stack: contextlib.AsyncExitStack, calibrations: Mapping[str, Calibration]
) -> Tee | None:
    """Copy `source` to a recording that `stack` closes; the Tee to feed, None where several sensors feed their own.

    Sensors that share a time line are recorded apart, each on its own clock: a replay fits the clocks again.
    calibrations by sensor, "" for the only one, are kept beside the samples, which stay as they came.
    """
    from edgehar.calibration import calibration_extra
    from edgehar.recording import RecordingWriter
    from edgehar.tee import Tee

    spec = source.spec
    if not hasattr(source, "aligner"):
        writer = stack.enter_context(
            RecordingWriter(
                path,
                spec,
                session=spec.session_id,
                placement=spec.placement,
                extra=calibration_extra(calibrations, ["main"]),
            )
        )
        return Tee(writer, source)
    from edgehar.align.delay import recorded_delays

    bases = {name: track.time.base for name, track in source.aligner.tracks.items()}
    specs = {name: one.spec for name, one in source.sources.items()}
    extra = {**recorded_delays(bases), **calibration_extra(calibrations, list(specs))}
    writer = stack.enter_context(RecordingWriter(path, specs, session=spec.session_id, extra=extra))
    tees = {name: Tee(writer, one, stream=name) for name, one in source.sources.items()}

    def copy(name: str, chunk: Chunk) -> None:
        tees[name].write(chunk)

    source.on_chunk = copy
    for tee in tees.values():
        stack.callback(tee.finish)
    return None
