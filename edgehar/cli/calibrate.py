"""`edgehar calibrate`: what a motion sensor gets wrong, how it is worn, and a file that puts it right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.calibration_guide import Findings, Guide
    from edgehar.sources import Source

LIVE_LINE_S = 0.25


def calibrate(
    *,
    source: Annotated[str, typer.Option(help="ble:NAME, imu:PORT, replay:FILE, ...: one sensor.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Write the calibration here (.toml).", show_default=False)] = None,
    poses: Annotated[
        int, typer.Option(help="Still poses: 1 as it is worn; 6, each side once, determine bias and scale of all axes.")
    ] = 1,
    walk: Annotated[bool, typer.Option("--walk", help="Then walk for half a minute: guess where it is worn.")] = False,
    wrist: Annotated[str, typer.Option(help="The wrist that it is worn on, left or right ...")] = "",
    like: Annotated[
        str, typer.Option(help="... and the one that the model was trained on: mirrors if they differ.")
    ] = "",
    patience: Annotated[float, typer.Option(help="Seconds of stream to wait for a pose, or for walking.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Calibrate a motion sensor: hold it still, and learn gravity, biases and what is up; run --calibration."""
    import asyncio
    import datetime as dt

    from edgehar.calibration_guide import Wishes
    from edgehar.errors import Reason, UsageError
    from edgehar.live import EXIT_INTERRUPTED
    from edgehar.sources import open_source

    if out is not None and out.exists():
        raise UsageError(f"{out} exists", reason=Reason.EXISTS, hint="choose another name, or remove it first")
    wishes = Wishes(poses=poses, walk=walk, wrist=wrist, like=like, patience_s=patience)
    findings = asyncio.run(_guided(open_source(source), wishes))
    if findings is None:
        return EXIT_INTERRUPTED
    made = {"source": source, "device": findings.spec.session_id, "date": dt.datetime.now(tz=dt.UTC).date().isoformat()}
    text = findings.calibration(made).toml()
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({**_told(findings), "calibration": text, "file": str(out) if out else None}))
        return 0
    _print(findings)
    if out is not None:
        typer.echo(f"written to {out}; next: edgehar run BUNDLE --source {source} --calibration {out}")
    return 0


async def _guided(source: Source, wishes: Any) -> Findings | None:
    """None after Ctrl-C."""
    import contextlib

    from edgehar.calibration_guide import Guide, Step
    from edgehar.live import chunks_until, stopped_by_signals

    with stopped_by_signals() as stop:
        async with source:
            guide = Guide(source.spec, wishes)
            prompts = _Prompts(guide)
            async with contextlib.aclosing(chunks_until(source, stop)) as chunks:
                async for chunk in chunks:
                    guide.push(chunk)
                    prompts.show()
                    if guide.step is Step.DONE:
                        break
            prompts.clear()
            return None if stop.interrupted else guide.finish()


class _Prompts:
    """Says on stderr what to do, once when it changes; on a terminal, how it goes, too."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._said = ""
        self._live = sys.stderr.isatty()
        self._shown_s = 0.0
        self.show()

    def show(self) -> None:
        """The prompt, and the live line four times a second."""
        import time

        prompt = self._guide.prompt()
        if prompt != self._said:
            self.clear()
            sys.stderr.write(f"{prompt}\n")
            self._said = prompt
        if self._live and time.monotonic() - self._shown_s > LIVE_LINE_S:
            guide = self._guide
            still = f"still for {guide.still_s:.1f} s" if guide.still_s else "moving"
            sys.stderr.write(f"\r\x1b[K  {guide.poses} poses, {guide.windows} windows of walking, {still}")
            self._shown_s = time.monotonic()
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the live line away."""
        if self._live:
            sys.stderr.write("\r\x1b[K")


def _told(found: Findings) -> dict[str, Any]:
    """For scripts."""
    import numpy as np

    gyro, placement = found.gyro, found.placement
    return {
        "poses": [
            {"gravity_g": size, "up": up.axis, "off_deg": up.off_deg}
            for size, up in zip(found.gravity_g, found.ups, strict=True)
        ],
        "accelerometer": {
            "bias_g": found.accel.bias_g.tolist(),
            "scale": found.accel.scale.tolist(),
            "sd": found.accel.sd.tolist(),
            "known": list(found.accel.known),
            "residual_before_g": found.accel.before_g,
            "residual_after_g": found.accel.after_g,
        },
        "gyroscope": None
        if gyro is None
        else {
            "bias_dps": np.degrees(gyro.bias_radps).tolist(),
            "spread_dps": np.degrees(gyro.spread_radps).tolist(),
            "seconds": gyro.seconds,
        },
        "mirror": found.mirror,
        "placement": None
        if placement is None
        else {
            "place": placement.place,
            "probabilities": dict(placement.probabilities),
            "windows": placement.windows,
            "why": placement.why,
        },
        "notes": list(found.notes),
        "simulated": found.spec.simulated,
    }


def _print(found: Findings) -> None:
    import numpy as np

    from edgehar.calibration_guide import told_placement

    if found.spec.simulated:
        typer.echo("SIMULATED: no sensor is behind this stream")
    for i, (size, up) in enumerate(zip(found.gravity_g, found.ups, strict=True), 1):
        typer.echo(f"pose {i}: gravity {size:.4f} g, {up.axis} is up, {up.off_deg:.0f} degrees off the vertical")
    accel = found.accel
    for i, axis in enumerate("xyz"):
        bias = f"{1000 * accel.bias_g[i]:+.1f} +- {1000 * accel.sd[i]:.1f} mg" if accel.known[i] else "not known"
        scale = f"{accel.scale[i]:.4f} +- {accel.sd[3 + i]:.4f}" if accel.known[3 + i] else "not known"
        typer.echo(f"accelerometer {axis}: bias {bias}, scale {scale}")
    typer.echo(f"gravity is off by {1000 * accel.before_g:.1f} mg before, {1000 * accel.after_g:.1f} mg after (rms)")
    if found.gyro is not None:
        turns = zip("xyz", np.degrees(found.gyro.bias_radps), np.degrees(found.gyro.spread_radps), strict=True)
        told = ", ".join(f"{axis} {mean:+.3f} (spread {spread:.3f})" for axis, mean, spread in turns)
        typer.echo(f"gyroscope bias, degrees a second: {told}")
    if found.mirror:
        flipped = ", ".join(_flipped(found.mirror))
        typer.echo(f"mirror along {found.mirror}, the forearm's axis: {flipped} change their sign")
    if found.placement is not None:
        typer.echo(f"placement: {told_placement(found.placement)}")
    for note in found.notes:
        typer.echo(f"note: {note}")


def _flipped(axis: str) -> list[str]:
    from edgehar.calibration import CHANNELS
    from edgehar.dsp.imu_mirror import mirror_signs

    return [name for name, sign in zip(CHANNELS, mirror_signs(axis).tolist(), strict=True) if sign < 0]
