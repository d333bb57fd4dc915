"""From a kernel and its arguments to a call: code that was kept if there is any, else compiled now and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgehar.machine_code.block import Call, kind_of
from edgehar.machine_code.store import MachineCode, code_directory, code_name, read_code, write_code

OTHER_NUMBA = (AttributeError, ImportError, KeyError, NotImplementedError, TypeError, RuntimeError)
"""What Numba's insides may raise in a version that has moved them."""


def bind(kernel: str, arguments: Sequence[Any], compiled: Callable[[], Any]) -> Call | None:
    """The call of `kernel` with these arguments; None where only Numba itself can call it.

    `kernel`: "package.module.function", the name that its code is kept under. `compiled`: gives Numba's dispatcher;
    called only if no code is there.
    """
    directory = code_directory()
    if directory is None:
        return None
    signature = tuple(map(kind_of, arguments))
    code = _code(directory / code_name(kernel, signature), signature, compiled)
    return None if code is None else Call(code.entry, arguments)


def kept_call(file: str, arguments: Sequence[Any]) -> Call | None:
    """The call of code that is kept in `file` of the code directory; None where it is not."""
    directory = code_directory()
    code = None if directory is None else _code(directory / file)
    return None if code is None else Call(code.entry, arguments)


class _Loaded:
    """What this process has loaded, by file: machine code stays where it is until the process ends."""

    files: ClassVar[dict[Path, MachineCode]] = {}


def _code(path: Path, signature: tuple[str, ...] = (), compiled: Callable[[], Any] | None = None) -> MachineCode | None:
    code = _Loaded.files.get(path) or read_code(path)
    if code is None and compiled is not None:
        code = _compile(path, signature, compiled)
    if code is not None:
        _Loaded.files[path] = code
    return code


def _compile(path: Path, signature: tuple[str, ...], compiled: Callable[[], Any]) -> MachineCode | None:
    try:
        from edgehar.machine_code.emit import emit

        emitted = emit(compiled(), signature)
    except OTHER_NUMBA:
        return None
    write_code(path, emitted.code, emitted.needs)
    return MachineCode(emitted.code)
