"""Which of the devices in range is meant: by address, by name, or the only one whose kind is known. Sans-IO."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgehar.errors import MissingError, Reason, UsageError
from edgehar.sources.ble.kinds import Kind, kind_of
from edgehar.sources.ble.radio import Sighting

AUTO = "auto"
# Core Bluetooth hides addresses and gives each device a UUID of its own instead.
ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
MOST_TOLD = 8  # devices in an error; an office has dozens


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device in range and the kind that knows it, None where none does."""

    sighting: Sighting
    kind: Kind | None

    @property
    def address(self) -> str:
        """Of the device."""
        return self.sighting.advertised.address

    def __str__(self) -> str:
        told = self.sighting.advertised
        parts = (told.name or "no name", self.kind.name if self.kind else "unknown kind", f"{told.rssi_dbm} dBm")
        return f"{told.address} ({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`text`: address, name or "auto". `kind`: what somebody says that it is, None: what it looks like."""

    text: str
    kinds: Mapping[str, Kind]
    kind: Kind | None = None

    @property
    def is_address(self) -> bool:
        """Whether the first sighting decides; a name, two devices may have."""
        return ADDRESS.fullmatch(self.text) is not None

    def candidates(self, seen: Iterable[Sighting]) -> list[Candidate]:
        """Everything in range, nearest first."""
        found = [Candidate(sighting, kind_of(sighting.advertised, self.kinds)) for sighting in seen]
        return sorted(found, key=lambda one: (-one.sighting.advertised.rssi_dbm, one.address))

    def among(self, seen: Iterable[Sighting]) -> list[Candidate]:
        """Those that may be meant; with `kind` named, as being of that kind."""
        if self.is_address:
            found = [one for one in self.candidates(seen) if one.address.lower() == self.text.lower()]
        elif self.text != AUTO:
            found = [one for one in self.candidates(seen) if one.sighting.advertised.name == self.text]
        elif self.kind is not None:
            found = [one for one in self.candidates(seen) if self.kind.known(one.sighting.advertised)]
        else:
            found = [one for one in self.candidates(seen) if one.kind is not None]
        return found if self.kind is None else [Candidate(one.sighting, self.kind) for one in found]

    def only(self, found: list[Candidate]) -> Candidate:
        """The one that is meant. Raises UsageError for two, with what to type for each, and for one of unknown kind."""
        if len(found) > 1:
            what = "devices of a known kind are in range" if self.text == AUTO else f"devices are called '{self.text}'"
            raise UsageError(
                f"{len(found)} {what}: {_list(found)}",
                reason=Reason.VALUE,
                hint="name one by its address: "
                + " or ".join(f"--source ble:{one.address}" for one in found[:MOST_TOLD]),
            )
        one = found[0]
        if one.kind is None:
            raise UsageError(
                f"ble:{self.text}: {one} is of no kind that edgehar knows",
                reason=Reason.UNKNOWN_NAME,
                hint=f"say what it is: ble:{one.address}?device={'|'.join(self.kinds)}",
            )
        return one

    def missing(self, seen: Iterable[Sighting], waited_s: float) -> MissingError:
        """Why there is none, as far as what was heard tells."""
        heard = self.candidates(seen)
        what = "a sensor of a known kind" if self.text == AUTO else f"'{self.text}'"
        around = f"in range: {_list(heard)}" if heard else "no Bluetooth LE device at all is in range"
        wake = "wake it, charge it, bring it nearer; is it connected to a phone?"
        return MissingError(
            f"ble:{self.text}: {what} was not heard within {waited_s:.3g} s; {around}",
            reason=Reason.NOT_FOUND,
            hint=f"{wake} Then: edgehar doctor ble",
        )


def _list(found: list[Candidate]) -> str:
    more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    return ", ".join(map(str, found[:MOST_TOLD])) + more
