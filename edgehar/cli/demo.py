"""`edgehar demo`: a real recording of a person the model never saw, recognised live."""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

TRAIN = "make demo-bundle"


def demo(
    *,
    speed: Annotated[
        float, typer.Option(help="Seconds of recording a second; 1 is real time, 0 is no waiting.")
    ] = 20.0,
    data: Annotated[Path, typer.Option(help="The seglearn wheel; 'installed' finds the installed package.")] = Path(
        "installed"
    ),
    bundle: Annotated[
        Path | None, typer.Option(help="Another bundle than the shipped one.", show_default=False)
    ] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Use the virtual sensor, marked SIMULATED.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, nothing else.")] = False,
) -> int:
    """Watch a model recognise seven shoulder exercises of a person who was held out from its training."""
    import asyncio

    from edgehar.bundle import open_bundle
    from edgehar.cli.preparing import prepared_pipeline
    from edgehar.demo import BUNDLE
    from edgehar.demo.person import cast, simulated
    from edgehar.demo.play import play
    from edgehar.errors import MissingError, Reason, UsageError
    from edgehar.live import EXIT_INTERRUPTED

    if not 0 <= speed < math.inf:
        raise UsageError(f"--speed {speed:g}", reason=Reason.VALUE, hint="give 0 (as fast as it goes) or more")

    opened = open_bundle(bundle or BUNDLE)
    subjects = opened.manifest.provenance.get("test_subjects") or [""]
    if simulate:
        asked = MissingError("simulated data was asked for", reason=Reason.VALUE, hint="leave --simulate out")
        people: Any = contextlib.nullcontext(simulated(asked))
    else:
        people = cast(str(subjects[0]), data)
    with people as players:
        if not as_json:
            _introduce(opened, players, speed)
        screen = None if as_json else _screen(players)
        pipeline = prepared_pipeline(opened, "numba")
        score, played_s, interrupted = asyncio.run(play(pipeline, players, speed=speed, screen=screen))
        summary = {
            **score.summary(),
            "played_s": played_s,
            "simulated": players.why_simulated is not None,
            "why_simulated": str(players.why_simulated) if players.why_simulated else None,
            "subject": players.subject,
            "data": players.origin,
            "model_id": opened.manifest.model_id,
            "stamps": list(opened.manifest.stamps),
            "bundle_sha256": opened.sha256,
            "speed": speed,
            "train_command": TRAIN if bundle is None else opened.manifest.provenance.get("command"),
            "trained_by": opened.manifest.provenance.get("command"),
            "interrupted": interrupted,
        }
    _conclude(summary, as_json=as_json)
    return EXIT_INTERRUPTED if interrupted else 0


def _introduce(bundle: Any, players: Any, speed: float) -> None:
    from edgehar.demo.person import EXERCISES

    manifest = bundle.manifest
    if players.why_simulated is not None:
        typer.echo(f"SIMULATED: no real recording is shown, because {players.why_simulated}")
        typer.echo(f"  for the real demo: {players.why_simulated.hint}\n")
    trained = manifest.provenance.get("train_subjects", ())
    others = len(trained) + len(manifest.provenance.get("validation_subjects", ()))
    pace = "as fast as it goes" if speed == 0 else f"at {speed:g} times real time"
    total_s = sum(take.duration_s for take in players.takes)
    window_s, hop_s = manifest.window / manifest.contract.rate_hz, manifest.hop / manifest.contract.rate_hz
    typer.echo(f"{players.subject}: {total_s / 60:.1f} min of {players.origin}, {pace}")
    typer.echo(
        f"model {manifest.model_id}{' ' + ' '.join(manifest.stamps) if manifest.stamps else ''}, trained on {others} "
        f"other people; one decision every {hop_s:g} s on the last {window_s:g} s"
    )
    known = [f"{code} {name}" for code, name in EXERCISES.items() if code in manifest.labels]
    if known:
        typer.echo("  " + ", ".join(known))


def _screen(players: Any) -> Any:
    """What is drawn: a live table on a terminal, plain lines into a pipe."""
    total_s = sum(take.duration_s for take in players.takes)

    def make(score: Any, now: Any) -> Any:
        if not sys.stdout.isatty():
            from edgehar.sinks.lines import LinesSink

            return LinesSink(truth=score.truth)
        from edgehar.sinks.live_table import LiveTable

        return LiveTable(
            title=lambda: f"{players.subject}: {now.title}",
            truth=score.truth,
            footer=lambda: f"{score.line()}   {now.played_s:.0f} of {total_s:.0f} s",
        )

    return make


def _conclude(summary: dict[str, Any], *, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(summary))
        return
    marks = " ".join([*summary["stamps"], *(["SIMULATED"] if summary["simulated"] else [])])
    typer.echo("")
    if summary["accuracy_percent"] is None:
        typer.echo("stopped before the first decision")
    else:
        per_class = ", ".join(f"{label} {percent:.0f}" for label, percent in summary["per_class_percent"].items())
        about = "on simulated data only: it says nothing about people" if summary["simulated"] else "on real recordings"
        typer.echo(
            f"accuracy {summary['accuracy_percent']:.1f} % of {summary['judged']} decisions, {about} {marks}".rstrip()
        )
        typer.echo(f"  by exercise, in percent: {per_class}")
        typer.echo(
            f"latency, last sample to decision: p50 {summary['latency_p50_ms']:.2f} ms, "
            f"p99 {summary['latency_p99_ms']:.2f} ms"
        )
    if summary["train_command"]:
        typer.echo(f"train the same model: {summary['train_command']}")
    if summary["trained_by"] not in (None, summary["train_command"]):
        typer.echo(f"  which runs: {summary['trained_by']}")
