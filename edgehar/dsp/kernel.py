"""How a function becomes a compiled kernel: strict IEEE arithmetic, no GIL, compiled once where a disk allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile with Numba. Never `fastmath`: a kernel and its NumPy twin must agree bit for bit."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        compiled: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # A service account may own no directory that a cache could live in; it compiles anew at every start.
        compiled = numba.njit(**options)(function)
    return compiled
