"""Where compiled kernels are kept between runs, so that a board compiles once and not at every start.

Order: $NUMBA_CACHE_DIR, $XDG_STATE_HOME/edgehar/numba (default ~/.local/state), the system's temporary directory; the
first that can be written. With none, kernels are compiled at every start: slower, nothing else.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edgehar.state_directory import is_private, state_places

HERE = Path(__file__).parent
SOURCES = ("runtimes/kernels/*.py", "many/*.py", "dsp/*.py", "machine_code/*.py", "wire/espcsi_*.py", "clock.py")


def prepare_cache() -> bool:
    """Point Numba at the first writable place; must run before a kernel is defined. False: do not cache at all.

    Numba looks only at the file that defines a kernel, not at those it calls, so the directory's name carries a hash
    of all of them.
    """
    directory = cache_directory()
    if directory is None:
        return False
    _drop_empty(directory)
    from numba import config

    os.environ["NUMBA_CACHE_DIR"] = str(directory)  # survives a reload of numba's configuration
    vars(config)["CACHE_DIR"] = str(directory)
    return True


def cache_directory() -> Path | None:
    """The first writable place for this version of the kernels; None: there is none. Does not import Numba."""
    for place in _places():
        directory = place / f"kernels-{_sources_hash()}"
        if is_private(directory, trust_parent="NUMBA_CACHE_DIR" in os.environ):
            return directory
    return None


def _places() -> list[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    if not named:
        return state_places("numba")
    # A parent process's choice, made by this function, is used as it is.
    path = Path(named)
    return [path.parent if path.name.startswith("kernels-") else path]


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
