"""How a function of this room becomes a compiled kernel: strict IEEE arithmetic, no GIL, kept in the cache.

Numba is imported when a kernel is first called, so that a program that does without it never waits for it: the
functions run in Python, too, with the same bits and tens of microseconds a sample.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from edgehar.machine_code.bind import bind

Function = TypeVar("Function", bound=Callable[..., Any])


def compile_kernels(wanted: bool) -> None:
    """Whether kernels that are not compiled yet shall be, from their next call on; without Numba they never are."""
    _Kernel.wanted = wanted


def compiles() -> bool:
    """Whether a kernel that is called now runs compiled; where it would not, a twin made for Python is faster."""
    return _Kernel.wanted and importlib.util.find_spec("numba") is not None


def kernel(function: Function) -> Function:
    """Compile with Numba. Never `fastmath`: a kernel and its NumPy twin must agree bit for bit."""
    return cast("Function", _Kernel(function))


class Bound:
    """A kernel with its arguments, to be run many times: what changes between two runs lies in the arrays.

    `run()` costs a fraction of what a call with all arguments does, and needs no Numba where its code was kept.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.arguments = arguments  # keeps the arrays alive
        call = None
        if isinstance(function, _Kernel) and compiles():
            python = function.python
            name = f"{python.__module__.rpartition('.')[2]}.{python.__name__}"
            call = bind(name, arguments, lambda: _compile(python))
        self._call = call
        self.run: Callable[[], Any] = partial(function, *arguments) if call is None else call.run


class _Kernel:
    wanted: ClassVar[bool] = True  # one answer in a process: the compiler costs time and memory, not the kernel

    def __init__(self, function: Callable[..., Any]) -> None:
        self.python = function
        self._compiled: Callable[..., Any] | None = None
        self.__doc__ = function.__doc__

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is not None:
            return self._compiled(*arguments)
        if not compiles():
            return self.python(*arguments)
        self._compiled = _compile(self.python)
        return self._compiled(*arguments)


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    from edgehar.kernel_cache import prepare_cache

    cache = prepare_cache()
    from numba import njit  # only after the cache has its place

    return cast("Callable[..., Any]", njit(cache=cache, nogil=True, error_model="numpy")(function))
