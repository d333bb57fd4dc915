"""`edgehar align`: how well the streams of a recording share a time line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from edgehar.align.survey import DeviceSurvey, PairSurvey


def align(
    recording: Annotated[Path, typer.Argument(help="The recording, a .mcap file.", show_default=False)],
    *,
    stream: Annotated[
        list[str] | None, typer.Option(help="Which streams, the reference first; by default all.", show_default=False)
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(
            help="Least delay of a stream's link: NAME=12ms, or NAME=0..50ms; by default as recorded.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Fit the clock of every stream of RECORDING, look for taps that two saw, and say how far apart they may be."""
    import json

    from edgehar.align.delay import RECORDED, LeastDelay, parse_delay
    from edgehar.align.survey import survey
    from edgehar.cli.progress import progress
    from edgehar.errors import Reason, UsageError
    from edgehar.recording import Recording

    opened = Recording.open(recording)
    names = list(stream or opened.specs)
    unknown = [name for name in names if name not in opened.specs]
    if unknown:
        raise UsageError(
            f"{recording} has no stream '{unknown[0]}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"it holds: {', '.join(opened.specs) or 'nothing'}",
        )
    bases = {name: LeastDelay.from_text(opened.extra.get(f"{RECORDED}{name}", "")) for name in names}
    given = dict(parse_delay(text) for text in base or ())
    strange = sorted(set(given) - set(names))
    if strange:
        raise UsageError(
            f"a least delay of '{strange[0]}', which is no stream",
            reason=Reason.UNKNOWN_NAME,
            hint=f"the streams are: {', '.join(names)}",
        )
    with progress(f"looking for taps in {recording.name}") as report:
        found = survey(
            {name: opened.specs[name] for name in names}, opened.chunks, bases={**bases, **given}, report=report
        )
    simulated = any(opened.specs[name].simulated for name in names)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "recording": str(recording),
                    "simulated": simulated,
                    "streams": {name: _device(device) for name, device in found.devices.items()},
                    "pairs": [_pair(pair) for pair in found.pairs],
                }
            )
        )
        return 0
    typer.echo(f"{recording}{': SIMULATED' if simulated else ''}")
    for name, device in found.devices.items():
        typer.echo(f"  {name}: {_device_line(device)}")
    for pair in found.pairs:
        for line in _pair_lines(pair):
            typer.echo(f"  {line}")
    return 0


def _device(device: DeviceSurvey) -> dict[str, Any]:
    from edgehar.align.survey import PERCENTILES
    from edgehar.align.told import told_delay, told_fit

    delays = {f"delay_p{p}_ms": ms for p, ms in zip(PERCENTILES, device.delays_ms, strict=True)}
    counted = {"samples": device.samples, "seconds": device.seconds}
    return {**counted, **told_fit(device.fit), **delays, **told_delay(device.base)}


def _pair(pair: PairSurvey) -> dict[str, Any]:
    from edgehar.align.told import told_tap

    return {
        "first": pair.first,
        "second": pair.second,
        "bound_ms": None if pair.bound_ns is None else pair.bound_ns / 1e6,
        "lag_ms": None if pair.lag_ns is None else pair.lag_ns / 1e6,
        "taps": [told_tap(tap) for tap in pair.taps],
        "no_tap": pair.why,
    }


def _device_line(device: DeviceSurvey) -> str:
    fit = device.fit
    clock = (
        "too short for a clock fit"
        if fit is None
        else f"offset {fit.offset_ns / 1e9:.3f} s, {fit.ppm:+.1f} ppm, line right to {fit.residual_ns / 1e6:.2f} ms"
    )
    p50, _, p99 = device.delays_ms
    return (
        f"{device.samples} samples in {device.seconds:.1f} s, {clock}, "
        f"delay p50 {p50:.1f} ms, p99 {p99:.1f} ms, least delay {device.base.describe()}"
    )


def _pair_lines(pair: PairSurvey) -> list[str]:
    both = f"{pair.first} and {pair.second}"
    bound = (
        f"{both}: apart by a delay that nobody knows; give --base NAME=12ms for each"
        if pair.bound_ns is None
        else f"{both}: by their least delays right to {pair.bound_ns / 1e6:.1f} ms"
    )
    if not pair.taps:
        return [bound, f"{both}: no tap ({pair.why})"]
    return [bound, *(f"{pair.second} is later than {pair.first} by {tap.describe()}" for tap in pair.taps)]
