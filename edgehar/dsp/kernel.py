"""How a function of this room becomes a compiled kernel: strict IEEE arithmetic, no GIL, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from edgehar.kernel_cache import prepare_cache

CACHE: Final = prepare_cache()

from numba import njit  # noqa: E402 - only after the cache has its place

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile with Numba. Never `fastmath`: a kernel and its NumPy twin must agree bit for bit."""
    return cast("Function", njit(cache=CACHE, nogil=True, error_model="numpy")(function))
