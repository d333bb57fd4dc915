"""What `edgehar doctor` finds: one line a check, each with what was measured, what it should be, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Health(StrEnum):
    """How a check went. UNKNOWN: it could not be made; that is no failure."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` is a stable name that a script may look for; `fix` is what to do next, "" where nothing is wrong."""

    check: str
    health: Health
    measured: str
    threshold: str
    fix: str = ""

    def json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to `ok` all is well, up to `fail` it is a warning, above it a failure."""

    ok: float
    fail: float

    def judge(self, value: float) -> Health:
        """NaN cannot be judged."""
        if value != value:  # noqa: PLR0124
            return Health.UNKNOWN
        return Health.OK if value <= self.ok else Health.WARN if value <= self.fail else Health.FAIL


def finding(check: str, health: Health, measured: str, threshold: str, fix: str) -> Finding:
    """A Finding whose fix is left out where there is nothing to mend."""
    return Finding(check, health, measured, threshold, fix if health in (Health.WARN, Health.FAIL) else "")


def is_ill(findings: Iterable[Finding]) -> bool:
    """Whether anything failed."""
    return any(found.health is Health.FAIL for found in findings)
