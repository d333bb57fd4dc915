"""The runtime of an exported C module, compiled on this machine and called through ctypes.

For boards without Numba, and where the time of the first decision counts. The module lies in the directory `c` beside
the bundle, where `edgehar export` puts it, or is named.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.errors import InputError, MissingError, Reason
from edgehar.runtimes.exported import model_digest
from edgehar.runtimes.samples import check_samples, check_window
from edgehar.runtimes.shared_library import Library, load_library
from edgehar.types import FloatArray, IntArray

MODULE = "eh_model.h"
ALIGNMENT = 16


class CRuntime:
    """`edgehar.runtimes.Runtime` on a C module. A burst is one call; several may live side by side."""

    def __init__(self, bundle: Bundle, module: str | Path | None = None) -> None:
        self._manifest = manifest = bundle.manifest
        directory = exported_module(bundle, module)
        self.library = load_library(directory)
        self._code = _declared(self.library)
        _check_belongs(self._code, bundle, directory)
        self._classes, self._hop = manifest.outputs, manifest.hop
        # ctypes takes addresses; the arrays stay alive as long as the runtime.
        self._memory = [_memory(self._code.eh_shared_bytes()) for _ in range(2)]
        self._stream, self._whole = (memory.ctypes.data for memory in self._memory)
        self.reset()

    def window(self, x: FloatArray) -> FloatArray:
        x = check_window(x, self._manifest)
        logits = np.empty(self._classes, np.float32)
        self._code.eh_shared_window(self._whole, x.ctypes.data, logits.ctypes.data)
        return logits

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        x = check_samples(x, self._manifest)
        room = len(x) // self._hop + 1
        ends, logits = np.empty(room, np.int64), np.empty((room, self._classes), np.float32)
        found = self._code.eh_shared_push(self._stream, x.ctypes.data, len(x), ends.ctypes.data, logits.ctypes.data)
        return ends[:found], logits[:found]

    def reset(self) -> None:
        self._code.eh_shared_start(self._stream)

    def spike_rates(self) -> dict[str, float]:
        """Nothing: the module does not count its spikes."""
        return {}


def exported_module(bundle: Bundle, given: str | Path | None = None) -> Path:
    """The module's directory: `given`, or `c` in it; NAME.c or `c` beside NAME.edgehar.

    NAME.c is for a directory that holds several bundles. Raises MissingError where there is none.
    """
    path = Path(bundle.path)
    beside = [path.with_suffix(".c"), path.parent / "c"] if bundle.path else []
    places = [Path(given), Path(given) / "c"] if given is not None else beside
    for place in places:
        if (place / MODULE).is_file():
            return place
    source = bundle.path or "BUNDLE"
    raise MissingError(
        f"{places[-1]}: no C module" if places else "a bundle that was never saved has no C module beside it",
        reason=Reason.NOT_FOUND,
        hint=f"edgehar export {source} --target c --out DIR puts it next to a copy of the bundle",
    )


def _declared(library: Library) -> Any:
    code = library.code
    address, count = ctypes.c_void_p, ctypes.c_uint32
    for name, result, arguments in (
        ("eh_shared_digest", ctypes.c_char_p, ()),
        ("eh_shared_bytes", count, ()),
        ("eh_shared_sizes", None, (address,)),
        ("eh_shared_start", None, (address,)),
        ("eh_shared_push", count, (address, address, count, address, address)),
        ("eh_shared_window", None, (address, address, address)),
    ):
        function = getattr(code, name)
        function.restype, function.argtypes = result, arguments
    return code


def _check_belongs(code: Any, bundle: Bundle, directory: Path) -> None:
    manifest = bundle.manifest
    sizes = np.zeros(4, np.uint32)
    code.eh_shared_sizes(sizes.ctypes.data)
    expected = [manifest.model["inputs"], manifest.outputs, manifest.window, manifest.hop]
    if code.eh_shared_digest().decode() != model_digest(bundle) or sizes.tolist() != expected:
        raise InputError(
            f"{directory}: was exported from another model than {manifest.model_id}",
            reason=Reason.VALUE,
            hint=f"export this bundle again: edgehar export {bundle.path or 'BUNDLE'} --target c --out DIR",
        )


def _memory(size: int) -> NDArray[np.uint8]:
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]
