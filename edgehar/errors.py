"""One root error; each child owns an exit code, each error carries a reason and the next thing to type.

Exit codes: 0 success, 1 a check failed, 2 usage, 3 something is missing, 4 nothing failed but something was
skipped, 5 bad input, 6 stream and bundle do not match, 7 leaky split, 130 interrupted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why; stable names that a script may compare."""

    SHAPE = "shape"
    VALUE = "value"
    FORMAT = "format"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    VERSION = "version"
    NOT_FOUND = "not_found"
    EXISTS = "exists"
    NOT_INSTALLED = "not_installed"
    DOWNLOAD = "download"
    PERMISSION = "permission"
    DISK_FULL = "disk_full"
    CONTRACT = "contract"
    OVERLAP = "overlap"
    SAME_RECORDING = "same_recording"
    SUBJECT_SHARED = "subject_shared"
    UNKNOWN_NAME = "unknown_name"


class EdgeHarError(Exception):
    """Something the user can mend. `str(error)` says what is wrong, `.hint` what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, reason: Reason, hint: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint


class UsageError(EdgeHarError):
    """The command line or an argument does not make sense."""

    exit_code = 2


class MissingError(EdgeHarError):
    """A file, package, device or download that is needed is not there."""

    exit_code = 3


class InputError(EdgeHarError):
    """A file, frame or array is not what it must be; the message names the place and the value."""

    exit_code = 5


class ContractError(EdgeHarError):
    """A stream does not match what the bundle's model was trained on."""

    exit_code = 6


class LeakageError(EdgeHarError):
    """Training and test windows share what they must not share."""

    exit_code = 7
