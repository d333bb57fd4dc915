"""How a command that goes on where it was interrupted ends: exit codes are edgehar's."""

from __future__ import annotations

import sys
from collections.abc import Callable

from edgehar.errors import EdgeHarError


def resumable(name: str, work: Callable[[], None]) -> int:
    """Do the work; the exit code, with what went wrong on standard error."""
    try:
        work()
    except EdgeHarError as error:
        print(f"{name}: {error}\n  next: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0
