"""Write a directory whole or not at all."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgehar.errors import MissingError, Reason, UsageError


def write_directory(directory: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write `files` beside `directory`, then rename. `replace`: an earlier export there may go.

    Raises UsageError where `directory` exists and may not go, MissingError where nothing can be written.
    """
    if directory.exists() and not replace and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            f"{directory} exists already", reason=Reason.EXISTS, hint="name another directory, or remove this one first"
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
        try:
            _fill(partial, files)
            if directory.exists():
                old = partial.with_name(f"{partial.name}.old")
                directory.rename(old)
                partial.rename(directory)
                shutil.rmtree(old, ignore_errors=True)
            else:
                partial.rename(directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise MissingError(
            f"{directory}: cannot be written: {error.strerror}",
            reason=Reason.DISK_FULL if full else Reason.PERMISSION,
            hint="free some space" if full else "choose a directory that you may write to",
        ) from error


def _fill(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (directory / name).write_bytes(content)
    directory.chmod(0o755)  # mkdtemp's 0700 would hide the export from other users
