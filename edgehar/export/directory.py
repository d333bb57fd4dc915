"""Write a directory whole or not at all: a full disk or Ctrl-C leaves what was there before."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError

SIDECAR = "export.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_place(directory: Path, *, force: bool) -> None:
    """Raise UsageError unless `directory` is free or empty, or `force` and it holds nothing but an earlier export."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise _taken(directory, "is a file", "name a directory that is to be made")
    if all(path.is_dir() for path in directory.rglob("*")):  # looks no further than the first file
        return
    if not force:
        raise _taken(directory, "is not empty", "name another directory, or replace the export in it: --force")
    held = {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}
    foreign = sorted(held - _exported(directory))
    if foreign:
        raise _taken(
            directory,
            f"holds {foreign[0]}, which is no part of an export",
            "--force replaces only what edgehar export has written; name another directory",
        )


def write_directory(directory: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write `files` (relative path -> content) beside `directory`, then rename.

    Raises UsageError as `check_place` does, MissingError where nothing can be written.
    """
    check_place(directory, force=force)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
        try:
            for name, content in files.items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                (partial / name).write_bytes(content)
            partial.chmod(0o755)  # mkdtemp's 0700 would hide the export from other users
            _replace(directory, partial)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except EdgeHarError:
        raise
    except OSError as error:
        full = error.errno in _FULL
        raise MissingError(
            f"{directory}: cannot be written: {error.strerror}",
            reason=Reason.DISK_FULL if full else Reason.PERMISSION,
            hint="free some space; nothing was left behind" if full else "choose a directory that you may write to",
        ) from error


def _replace(directory: Path, partial: Path) -> None:
    if not directory.exists() or not any(directory.iterdir()):
        partial.replace(directory)
        return
    old = partial.with_name(f"{partial.name}.old")
    directory.rename(old)
    try:
        partial.rename(directory)
    except BaseException:
        old.rename(directory)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exported(directory: Path) -> set[str]:
    """What the sidecar there lists; nothing where there is none."""
    try:
        told = json.loads((directory / SIDECAR).read_text(encoding="utf-8"))
        return {SIDECAR, *told["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _taken(directory: Path, what: str, hint: str) -> UsageError:
    return UsageError(f"{directory} {what}", reason=Reason.EXISTS, hint=hint)
