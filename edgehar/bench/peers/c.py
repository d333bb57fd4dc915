"""The bundle's own exported C module, compiled on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgehar.bench.peers.base import Contestant, Desk, Field, dtype_of
from edgehar.bundle import Bundle
from edgehar.runtimes.c import CRuntime


def c(bundle: Bundle, desk: Desk) -> Field:
    """What `edgehar export --target c` writes: a whole window, and a push of one hop."""
    with tempfile.TemporaryDirectory() as temporary:  # loaded code outlives its file
        directory = Path(temporary) / "c"
        desk.module(bundle, directory)
        runtime = CRuntime(bundle, directory)
    setting = f"exported C99, -O3, {dtype_of(bundle)}"
    return Field([Contestant("c", setting, "", runtime.window, runtime.push)])
