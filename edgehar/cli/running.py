"""What `edgehar run` does, without what parses its command line: a run must start fast."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def run_bundle(
    bundle: Path | None = None,
    *,
    source: Sequence[str] | None = None,
    sink: Sequence[str] | None = None,
    speed: float | None = None,
    runtime: str | None = None,
    as_json: bool = False,
    record: Path | None = None,
    duration: float | None = None,
    config: Path | None = None,
    base: Sequence[str] | None = None,
    align: str | None = None,
    wait: str | None = None,
    calibration: Sequence[str] | None = None,
) -> int:
    """Run until the source ends; the exit code. The arguments are those of `edgehar.cli.run.run`."""
    import asyncio

    from edgehar.bundle import open_bundle
    from edgehar.errors import Reason, UsageError
    from edgehar.live import EXIT_INTERRUPTED, check_duration
    from edgehar.sinks import open_sink
    from edgehar.sources import SourceUri, open_source
    from edgehar.types import StreamSpec

    if config is not None:
        from edgehar.config import load_settings

        settings = load_settings(config).run
        bundle = bundle or (Path(settings.bundle) if settings.bundle else None)
        source = source or list(settings.sources) or ([settings.source] if settings.source else None)
        base, align, wait = base or settings.base, align or settings.align, wait or settings.wait
        sink = sink or list(settings.sinks)
        speed = settings.speed if speed is None else speed
        runtime = runtime or settings.runtime
        record = record or (Path(settings.record) if settings.record else None)
    if bundle is None:
        raise UsageError(
            "no bundle to run", reason=Reason.VALUE, hint="edgehar run BUNDLE --source SOURCE, or name a --config file"
        )
    if not source:
        raise UsageError("no source to run on", reason=Reason.VALUE, hint="give a --source, such as virtual:imu")
    check_duration(duration)
    addresses = sink or ([] if as_json else ["console"])
    if as_json:
        addresses = ["jsonl:-", *(address for address in addresses if address != "jsonl:-")]
    if len({"console", "jsonl:-"} & set(addresses)) == 2:
        raise UsageError(
            "console and JSON lines cannot share stdout", reason=Reason.VALUE, hint="write one of them to jsonl:PATH"
        )
    uris = [SourceUri.parse(text) for text in source]
    opened = open_bundle(bundle)
    contract = opened.manifest.contract
    sinks = [open_sink(address) for address in addresses]
    if contract.sensors:
        from edgehar.cli.sensors import open_sensors

        opened_source = open_sensors(uris, contract, speed=speed, base=base or (), align=align, wait=wait)
    else:
        if len(uris) > 1 or base or align or wait:
            from edgehar.cli.sensors import refuse_alignment

            refuse_alignment(uris, base=base, align=align, wait=wait)
        expected = StreamSpec(
            contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes, contract.placement
        )
        uri = uris[0] if speed is None else uris[0].having(speed=f"{speed!r}")
        opened_source = open_source(uri, expected=expected)
    live = _run(
        opened,
        opened_source,
        sinks,
        runtime=runtime or "numba",
        record=record,
        duration_s=duration,
        calibration=calibration or (),
    )
    try:
        summary = asyncio.run(live)
        _report(summary, as_json=as_json)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; point stdout elsewhere so that the shutdown's flush stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return EXIT_INTERRUPTED if summary["interrupted"] else 0


async def _run(
    bundle: Any,
    source: Any,
    sinks: list[Any],
    *,
    runtime: str,
    record: Path | None,
    duration_s: float | None,
    calibration: Sequence[str],
) -> dict[str, Any]:
    from edgehar.cli.correcting import calibrations_of, corrected_by
    from edgehar.cli.preparing import prepared_pipeline
    from edgehar.live import run_live, stopped_by_signals
    from edgehar.pipeline import accept
    from edgehar.tally import DecisionTally, StreamTally, summary

    pipeline = prepared_pipeline(bundle, runtime)
    stream, decisions = StreamTally(), DecisionTally()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(source)
        accept(source.spec, bundle.manifest.contract)  # before a recording is begun
        calibrations = calibrations_of(calibration, source)
        correct = corrected_by(calibrations, source.spec)
        tee: Any = None
        if record is not None:
            from edgehar.cli.copying import tee_of

            tee = tee_of(source, record, stack, calibrations)
        for sink in sinks:
            await stack.enter_async_context(sink)
        with stopped_by_signals() as stop:
            await run_live(
                source,
                pipeline,
                sinks,
                stop=stop,
                tee=tee,
                duration_s=duration_s,
                stream=stream,
                decisions=decisions,
                correct=correct,
            )
    return {
        **summary(stream, decisions, interrupted=stop.interrupted),
        "dropped": pipeline.dropped,
        "model_id": bundle.manifest.model_id,
        "stamps": list(bundle.manifest.stamps),
        "bundle_sha256": bundle.sha256,
        "runtime": runtime,
        "recording": str(record) if record else None,
        **({"calibrated": [name or "main" for name in calibrations]} if calibrations else {}),
        **({"sensors": _alignment(source)} if bundle.manifest.contract.sensors else {}),
    }


def _alignment(source: Any) -> dict[str, Any] | None:
    """What is known of the sensors' clocks; None where one source gave all channels, and no clock had to be fitted."""
    if not hasattr(source, "aligner"):
        return None
    from edgehar.align.told import alignment

    return alignment(source.aligner, source.taps)


def _report(summary: dict[str, Any], *, as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps({"summary": summary}))
        return
    statuses = ", ".join(f"{status} {n}" for status, n in summary["statuses"].items() if n) or "none"
    marks = " ".join(["", *summary["stamps"], *(["SIMULATED"] if summary["simulated"] else [])])
    over = f"over {summary['duration_s']:.1f} s of stream by {summary['model_id']}{marks}"
    losses = f"{summary['lost']} lost, coverage {100 * summary['coverage']:.1f} %"
    lines = [
        f"{summary['decisions']} decisions ({statuses}) {over}",
        f"{summary['samples']} samples at {summary['rate_hz']:.2f} Hz, {losses}",
    ]
    if summary["latency_p50_ms"] is not None:
        lines.append(
            f"latency p50 {summary['latency_p50_ms']:.3f} ms, p99 {summary['latency_p99_ms']:.3f} ms "
            f"({summary['runtime']} runtime)"
        )
    if any(summary["dropped"].values()):
        lines.append("not used: " + ", ".join(f"{n} {cause}" for cause, n in summary["dropped"].items() if n))
    if summary.get("sensors"):
        from edgehar.align.told import alignment_lines

        lines += alignment_lines(summary["sensors"])
    if summary.get("calibrated"):
        lines.append(f"corrected by the calibration of {', '.join(summary['calibrated'])}")
    if summary["recording"]:
        lines.append(f"recorded to {summary['recording']}")
    for line in lines:
        print(line, file=sys.stderr)
