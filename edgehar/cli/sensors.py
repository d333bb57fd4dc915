"""Several `--source` of one command: which sensor each one is, and all of them as one source."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehar.errors import Reason, UsageError

if TYPE_CHECKING:
    from edgehar.contract import Contract
    from edgehar.sources import Source, SourceUri
    from edgehar.sources.aligned import AlignedSource

# What these yield is recorded or made up: it is read as fast as it goes, and merged by its times of arrival.
UNHURRIED = {"replay", "virtual"}
TAP = "tap"


def open_sensors(
    uris: Sequence[SourceUri],
    contract: Contract,
    *,
    speed: float | None = None,
    base: Sequence[str] = (),
    align: str | None = None,
    wait: str | None = None,
) -> Source:
    """The sensors that `contract` names as one source, not yet entered.

    One replay of a recording that holds a stream for each stands for all of them. One source that yields all channels
    already is taken as it is. Raises UsageError where names are wrong or missing.
    """
    from edgehar.align.aligner import WAIT_NS
    from edgehar.align.delay import parse_delay, parse_duration_ns
    from edgehar.sources import open_source
    from edgehar.sources.aligned import AlignedSource
    from edgehar.types import StreamSpec

    if align not in (None, TAP):
        raise UsageError(
            f"--align {align}",
            reason=Reason.UNKNOWN_NAME,
            hint="write --align tap, or say a least delay: --base NAME=12ms",
        )
    names = [sensor.name for sensor in contract.sensors]
    if len(uris) == 1:
        uris = _streams_of(uris[0], names)
    if len(uris) == 1 and not uris[0].name:
        spec = StreamSpec(
            contract.kind, contract.channels, contract.rate_hz, contract.units, contract.axes, contract.placement
        )
        return open_source(uris[0] if speed is None else uris[0].having(speed=f"{speed!r}"), expected=spec)
    _check_names([uri.name for uri in uris], names)
    unhurried = all(uri.scheme in UNHURRIED for uri in uris)
    if unhurried:
        pace = uris[0].number("speed", 1.0, low=0.0) if speed is None else speed
        uris = [uri.having(speed="0") for uri in uris]
    elif speed is not None:
        raise UsageError(
            "--speed is for recordings and simulations; these sensors come at their own pace",
            reason=Reason.VALUE,
            hint="leave --speed out",
        )
    bases = dict(parse_delay(text) for text in base)
    if align == TAP and not unhurried:
        sys.stderr.write("hold the sensors together, knock three times, keep them still for two seconds\n")
    source: AlignedSource = AlignedSource(
        {uri.name: open_source(uri, expected=_expected(contract, uri.name)) for uri in uris},
        contract,
        bases=bases,
        wait_ns=WAIT_NS if wait is None else parse_duration_ns(wait),
        speed=pace if unhurried else None,
        tap=align == TAP,
    )
    return source


def refuse_alignment(source: Sequence[Any], **options: Any) -> None:
    """Raise UsageError where several sources, or an option for them, are given with a bundle that has one sensor."""
    given = [name for name, value in options.items() if value]
    if len(source) > 1 and not given:
        raise UsageError(
            f"{len(source)} sources, but the bundle has one sensor",
            reason=Reason.VALUE,
            hint="give one --source, such as virtual:imu (edgehar record takes several)",
        )
    if given:
        raise UsageError(
            f"--{given[0]} is for a bundle with several sensors, and this one has one",
            reason=Reason.VALUE,
            hint=f"leave --{given[0]} out",
        )


def _streams_of(uri: SourceUri, names: Sequence[str]) -> list[SourceUri]:
    """`replay:FILE` as one source for each stream, where the recording has a stream for every sensor."""
    from dataclasses import replace

    from edgehar.recording import Recording

    if uri.scheme != "replay" or uri.name or "stream" in uri.query:
        return [uri]
    held = Recording.open(Path(uri.locator)).specs
    return [replace(uri.having(stream=name), name=name) for name in names] if set(names) <= set(held) else [uri]


def _check_names(given: Sequence[str], wanted: Sequence[str]) -> None:
    twice = [name for name in given if given.count(name) > 1]
    if twice or sorted(given) != sorted(wanted):
        what = (
            f"two sources are called '{twice[0]}'"
            if twice
            else f"not {', '.join(name or '(no name)' for name in given)}"
        )
        raise UsageError(
            f"the bundle wants the sensors {', '.join(wanted)}: {what}",
            reason=Reason.CONTRACT,
            hint=" ".join(f"--source {name}=URI" for name in wanted),
        )


def _expected(contract: Contract, name: str) -> Any:
    """The stream that the contract asks of one sensor."""
    from edgehar.types import StreamSpec

    (columns,) = (sensor.channels for sensor in contract.sensors if sensor.name == name)
    return StreamSpec(
        contract.kind,
        tuple(contract.channels[column].removeprefix(f"{name}.") for column in columns),
        contract.rate_hz,
        tuple(contract.units[column] for column in columns),
        contract.axes,
    )
