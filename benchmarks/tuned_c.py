"""The hand-tuned C loop as a peer: compiled here with every flag that helps it, without fast math and with it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgehar.bench.peers import Contestant
from edgehar.bundle import Bundle
from edgehar.types import FloatArray

SOURCES = Path(__file__).parent / "peers_c"
FLAGS = ("-std=c11", "-O3", "-march=native", "-fPIC", "-shared")
SETTINGS = {"-O3 -march=native": (), "-O3 -march=native -ffast-math": ("-ffast-math",)}


class TunedWindow:
    """`Contestant.window` of a compiled loop; it keeps the weights alive that the code reads."""

    def __init__(self, code: ctypes.CDLL, arrays: Sequence[FloatArray], zeta: float, nu: float, classes: int) -> None:
        self._arrays = list(arrays)
        self._pointers = [array.ctypes.data for array in arrays]
        self._shares = zeta, nu
        self._logits = np.empty(classes, np.float32)
        self._run = code.tuned_window
        pointer = ctypes.c_void_p
        self._run.argtypes = [*[pointer] * 6, ctypes.c_float, ctypes.c_float, pointer, pointer]
        self._run.restype = None

    def __call__(self, x: FloatArray) -> FloatArray:
        """Logits of one window x [T, D] float32, contiguous."""
        self._run(*self._pointers, *self._shares, x.ctypes.data, self._logits.ctypes.data)
        return self._logits


def tuned_fastgrnn(bundle: Bundle) -> list[Contestant]:
    """One contestant a setting and a compiler (gcc, clang) of a dense FastGRNN; none where no compiler is."""
    model, weights = bundle.manifest.model, bundle.weights
    hidden, classes = int(model["hidden"]), len(bundle.manifest.labels)
    defines = [f"-DH={hidden}", f"-DD={model['inputs']}", f"-DT={bundle.manifest.window}", f"-DK={classes}"]
    names = ("W", "U", "b_z", "b_h", "fc_w", "fc_b")
    arrays = [_aligned(weights[name].T) for name in names]
    zeta, nu = (float(weights[name][0]) for name in ("zeta", "nu"))
    made = []
    for compiler in filter(shutil.which, ("gcc", "clang")):
        said = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True).stdout
        version = said.splitlines()[0]
        for setting, extra in SETTINGS.items():
            code = _compiled([compiler, *FLAGS, *extra, *defines, str(SOURCES / "fastgrnn.c")])
            run = TunedWindow(code, arrays, zeta, nu, classes)
            made.append(Contestant("tuned C", f"{compiler} {setting}", version, run))
    return made


def _compiled(command: list[str]) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as temporary:  # loaded code outlives its file
        library = Path(temporary) / "tuned.so"
        subprocess.run([*command, "-o", str(library), "-lm"], check=True)
        return ctypes.CDLL(str(library))


def _aligned(values: FloatArray) -> FloatArray:
    """A copy that begins at a multiple of 64 bytes."""
    room = np.zeros(values.size + 16, np.float32)
    start = (-room.ctypes.data % 64) // 4
    copy = room[start : start + values.size]
    copy[:] = values.ravel()
    return copy
