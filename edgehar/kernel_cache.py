"""Where compiled kernels are kept between runs, so that a board compiles once and not at every start.

Order: $NUMBA_CACHE_DIR, $XDG_STATE_HOME/edgehar/numba (default ~/.local/state), the system's temporary directory; the
first that can be written. With none, kernels are compiled at every start: slower, nothing else.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("runtimes/kernels/*.py", "dsp/*.py")


def prepare_cache() -> bool:
    """Point Numba at the first writable place; must run before a kernel is defined. False: do not cache at all.

    Numba looks only at the file that defines a kernel, not at those it calls, so the directory's name carries a hash
    of all of them.
    """
    for place in _places():
        directory = place / f"kernels-{_sources_hash()}"
        if _writable(directory):
            _drop_empty(directory)
            from numba import config

            os.environ["NUMBA_CACHE_DIR"] = str(directory)  # survives a reload of numba's configuration
            vars(config)["CACHE_DIR"] = str(directory)
            return True
    return False


def _places() -> list[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        # A parent process's choice, made by this function, is used as it is.
        path = Path(named)
        return [path.parent if path.name.startswith("kernels-") else path]
    places = [Path(tempfile.gettempdir()) / f"edgehar-numba-{os.getuid() if hasattr(os, 'getuid') else 'user'}"]
    state = os.environ.get("XDG_STATE_HOME")
    try:
        home = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError:  # no home directory: a service's user
        return places
    return [home / "edgehar" / "numba", *places]


def _writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=directory):
            # Code is loaded from here: a directory that another user made or may write is not ours to trust, nor is one
            # that he may replace. Where somebody named the place, that is for him to know.
            named = "NUMBA_CACHE_DIR" in os.environ
            return _ours(directory, 0o022) and (named or _ours(directory.parent, 0o002))
    except OSError:
        return False


def _ours(directory: Path, forbidden_mode: int) -> bool:
    status = directory.stat()
    return (not hasattr(os, "getuid") or status.st_uid == os.getuid()) and not status.st_mode & forbidden_mode


def _drop_empty(directory: Path) -> None:
    """A power cut can leave a file without its content, on which Numba would fail at every start."""
    for file in directory.rglob("*.nb[ic]"):
        try:
            if file.stat().st_size == 0:
                file.unlink()
        except OSError:
            continue  # another process was faster


def _sources_hash() -> str:
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for source in sorted(HERE.glob(pattern)):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
