"""A whole examination of one source: open it, listen, check; what keeps it from being opened is a finding, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgehar.boards.doctor import Finding, Health, finding, is_ill
from edgehar.boards.doctor_ble import SCHEME, ble_uri, examine_ble
from edgehar.boards.doctor_link import check_link
from edgehar.boards.doctor_observe import LINK_SCHEMES, Listening, Observation, Report, listen, open_link, watch
from edgehar.boards.doctor_stream import check_stream
from edgehar.errors import EdgeHarError, UsageError
from edgehar.sources import SourceUri
from edgehar.sources.csi_stream import CsiChoice

LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Checkup:
    """The findings about `source`; `log` holds the last lines of text that came between frames."""

    source: str
    simulated: bool
    duration_s: float
    findings: list[Finding]
    log: list[str]

    @property
    def is_ill(self) -> bool:
        """Whether anything failed."""
        return is_ill(self.findings)

    def json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "source": self.source,
            "simulated": self.simulated,
            "duration_s": self.duration_s,
            "ill": self.is_ill,
            "findings": [found.json() for found in self.findings],
            "log": self.log,
        }


def examine(address: str, duration_s: float, report: Report | None = None) -> Checkup:
    """Listen to `address` for so long. A path alone is a serial port, `ble` alone is whatever Bluetooth LE hears.

    Raises UsageError for an address of no sense.
    """
    uri = ble_uri(f"csi:{address}" if address.startswith("/") else address)
    if uri.scheme == SCHEME:
        ble = examine_ble(uri, duration_s, report)
        return Checkup(uri.text, ble.simulated, ble.lasted_s, ble.found, log=[])
    try:
        seen = _observe(uri, duration_s, report)
    except UsageError:
        raise
    except (EdgeHarError, OSError) as error:
        hint = error.hint if isinstance(error, EdgeHarError) else "plug it in again; another cable or socket"
        gone = finding("port", Health.FAIL, str(error), "can be opened, nobody else has it", hint)
        return Checkup(uri.text, simulated=False, duration_s=0.0, findings=[gone], log=[])
    return check(uri.text, seen, duration_s)


def check(source: str, seen: Observation, duration_s: float) -> Checkup:
    """Everything that can be said about what was observed."""
    findings = [*(check_link(seen.heard) if seen.heard is not None else []), *check_stream(seen)]
    log = [] if seen.heard is None else [line for decoder in seen.heard.stream.binary for line in decoder.log]
    return Checkup(source, seen.simulated, duration_s, findings, log[-LOG_LINES:])


def _observe(uri: SourceUri, duration_s: float, report: Report | None) -> Observation:
    if uri.scheme not in LINK_SCHEMES:
        return watch(uri, duration_s)
    link, baud, board = open_link(uri)
    try:
        choice = CsiChoice(
            protocol=uri.word("protocol", "auto"),
            field=uri.word("field", "auto"),
            layout=uri.word("layout", ""),
            salt=uri.word("salt", ""),
        )
        return listen(link, Listening(link.name, baud, choice, board), duration_s, report)
    finally:
        link.close()
