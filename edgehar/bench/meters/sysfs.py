"""One number or one word from a file of sysfs, with an error that says what to do."""

from __future__ import annotations

from pathlib import Path

from edgehar.errors import InputError, MissingError, Reason

GONE = "the device or its driver went away: see dmesg"


def read_text(path: Path, *, permission: str) -> str:
    """The file's text without its newline. `permission`: the command that makes it readable.

    Raises MissingError where it cannot be read: a driver may also fail to reach its chip.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except PermissionError:
        raise MissingError(f"{path} may not be read", reason=Reason.PERMISSION, hint=permission) from None
    except FileNotFoundError:
        raise MissingError(f"{path} is not there", reason=Reason.NOT_FOUND, hint=GONE) from None
    except OSError as error:
        raise MissingError(f"{path}: {error.strerror}", reason=Reason.NOT_FOUND, hint=GONE) from None


def read_number(path: Path, *, permission: str) -> int:
    """The whole number in the file. Raises MissingError as `read_text`, InputError where it holds something else."""
    text = read_text(path, permission=permission)
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"{path}: '{text}' is not a whole number",
            reason=Reason.FORMAT,
            hint="this kernel's driver writes another format than documented; use another meter",
        ) from None


def numbered(directory: Path, pattern: str) -> list[Path]:
    """Entries that match, in the order of their names; none where the directory is not there."""
    return sorted(directory.glob(pattern), key=lambda path: (len(path.name), path.name))
