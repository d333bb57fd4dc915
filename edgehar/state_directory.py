"""Where this machine keeps what it made itself, such as compiled code, and whether what lies there can be trusted."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def state_places(kind: str) -> list[Path]:
    """Directories for `kind`, best first: $XDG_STATE_HOME/edgehar (default ~/.local/state), then a temporary one."""
    places = [Path(tempfile.gettempdir()) / f"edgehar-{kind}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"]
    state = os.environ.get("XDG_STATE_HOME")
    try:
        home = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError:  # no home directory: a service's user
        return places
    return [home / "edgehar" / kind, *places]


def is_private(directory: Path, *, trust_parent: bool = False) -> bool:
    """Make `directory`; whether it can be written by this user, and by nobody else.

    Code is loaded from here: a directory that another user made or may write is not ours to trust, nor is one that he
    may replace. `trust_parent`: somebody named the place, so that is for him to know.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=directory):
            return _ours(directory, 0o022) and (trust_parent or _ours(directory.parent, 0o002))
    except OSError:
        return False


def _ours(directory: Path, forbidden_mode: int) -> bool:
    status = directory.stat()
    return (not hasattr(os, "getuid") or status.st_uid == os.getuid()) and not status.st_mode & forbidden_mode
