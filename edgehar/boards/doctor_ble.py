"""`edgehar doctor ble[:NAME|ADDRESS]`: this machine's Bluetooth, what is in range, and one sensor, connected."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgehar.boards.doctor import Finding, Health, finding, is_ill
from edgehar.boards.doctor_ble_host import check_host, check_range, signal
from edgehar.boards.doctor_ble_link import check_visit
from edgehar.boards.doctor_observe import Observation, Report
from edgehar.boards.doctor_stream import check_stream
from edgehar.errors import EdgeHarError
from edgehar.sources import SourceUri
from edgehar.sources.ble.radio import Radio
from edgehar.sources.ble.survey import LOOK_S, Survey, Visit
from edgehar.sources.imu_ble import from_uri

SCHEME = "ble"


@dataclass(slots=True)
class BleFindings:
    """What was found, and whether a simulated sensor said so."""

    found: list[Finding] = field(default_factory=list)
    simulated: bool = False
    lasted_s: float = 0.0


def ble_uri(address: str) -> SourceUri:
    """Any source's address; `ble` alone means: look around, and examine the only sensor in range."""
    return SourceUri.parse(f"{SCHEME}:" if address == SCHEME else address)


def examine_ble(uri: SourceUri, duration_s: float, report: Report | None = None) -> BleFindings:
    """What cannot be said after a failure is left out. Raises UsageError for an address of no sense."""
    if uri.locator:
        from_uri(uri, None)  # refuses what makes no sense before anything is asked
    with Survey(Radio(uri.word("adapter", ""))) as survey:
        seen = BleFindings(check_host(survey.host()))
        if is_ill(seen.found):
            return seen
        try:
            uri = uri if uri.locator else _choose(uri, survey, seen)
            if uri.locator:
                _examine(survey.visit(from_uri(uri, None), duration_s, report), seen)
        except (EdgeHarError, OSError) as error:  # two devices of a name, too: a finding, not a mistyped command
            hint = error.hint if isinstance(error, EdgeHarError) else "look closer: journalctl -u bluetooth"
            seen.found.append(finding("connects", Health.FAIL, str(error), "is found and set going", hint))
        return seen


def _choose(uri: SourceUri, survey: Survey, seen: BleFindings) -> SourceUri:
    """The only sensor of a known kind; the address stays empty where there is none, or several."""
    candidates = survey.around()
    seen.found += check_range(candidates, LOOK_S)
    known = [one.address for one in candidates if one.kind is not None]
    if len(known) > 1:
        typed = " or ".join(f"edgehar doctor ble:{address}" for address in known)
        seen.found.append(finding("connects", Health.UNKNOWN, f"not tried: {len(known)} sensors", typed, ""))
    return SourceUri.parse(f"{SCHEME}:{known[0]}").having(**uri.query) if len(known) == 1 else uri


def _examine(visited: Visit, seen: BleFindings) -> None:
    seen.simulated, seen.lasted_s = visited.spec.simulated, visited.lasted_s
    name = visited.candidate.sighting.advertised.name or visited.candidate.address
    seen.found.append(finding("connects", Health.OK, f"'{name}', {visited.device.title}", "is found and set going", ""))
    seen.found.append(signal(visited.candidate))
    seen.found += [*check_visit(visited), *check_stream(Observation(visited.chunks, visited.spec))]
