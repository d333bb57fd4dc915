"""Compile what a bundle needs before it is needed: a new board then starts as fast as any."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from edgehar.bundle import Bundle
from edgehar.errors import MissingError
from edgehar.kernel_cache import prepare_cache
from edgehar.live import warm_up
from edgehar.pipeline import Pipeline
from edgehar.runtimes.c import CRuntime, exported_module


@dataclass(frozen=True, slots=True)
class Warmed:
    """What was done for one runtime.

    `compiled`: new files of code in `cache`, 0 where all were there already. `cache`: None where nothing could be kept.
    """

    runtime: str
    compiled: int
    seconds: float
    cache: str | None


def warm_numba(bundle: Bundle) -> Warmed:
    """Compile and keep the kernels of the bundle and its preprocessing. Raises ImportError without Numba."""
    began = time.perf_counter()
    kept = prepare_cache()
    cache = Path(os.environ["NUMBA_CACHE_DIR"]) if kept else None
    before = _kernels(cache)
    warm_up(Pipeline(bundle, "numba"))
    return Warmed("numba", len(_kernels(cache) - before), time.perf_counter() - began, str(cache) if cache else None)


def warm_c(bundle: Bundle) -> Warmed | None:
    """Compile and keep the C module that was exported beside the bundle; None where there is none."""
    try:
        exported_module(bundle)
    except MissingError:
        return None
    began = time.perf_counter()
    runtime = CRuntime(bundle)
    warm_up(Pipeline(bundle, runtime))
    library = runtime.library
    cache = str(library.path.parent) if library.path else None
    return Warmed("c", int(library.compile_s > 0), time.perf_counter() - began, cache)


def _kernels(cache: Path | None) -> set[Path]:
    """Object code, and what only Numba itself can load."""
    return {*cache.rglob("*.o"), *cache.rglob("*.nbc")} if cache else set()
