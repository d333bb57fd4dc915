"""The runtime of an exported TFLite file, in whichever interpreter is installed.

The file lies beside the bundle (NAME.tflite next to NAME.edgehar) or is given. A whole-window file is run at every
window's end. A recurrent model's step file advances one state per lane with every sample, so that no work piles up at
the end; a convnet's goes on over all windows and computes each column once.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.bundle import Bundle
from edgehar.errors import InputError, MissingError, Reason
from edgehar.runtimes.exported import check_belongs, exported_file
from edgehar.runtimes.lanes import Lanes
from edgehar.runtimes.samples import check_samples, check_window
from edgehar.runtimes.tflite_file import SIGNATURE_SAMPLES, read_description
from edgehar.types import FloatArray, IntArray

INTERPRETERS = (
    ("ai_edge_litert", "ai_edge_litert.interpreter"),
    ("tflite_runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow.lite"),
)
"""Package and module, in the order of preference: speed and size."""

States = dict[str, NDArray[Any]]


class LitertRuntime:
    """`edgehar.runtimes.Runtime` on an exported file; it keeps the protocol with its own file's numbers."""

    def __init__(self, bundle: Bundle, model: str | Path | None = None) -> None:
        path = exported_file(bundle, "tflite", model)
        content = path.read_bytes()
        description = read_description(content, str(path))
        check_belongs(description, bundle, path, forms=("window", "step"))
        self._manifest = bundle.manifest
        run = _entry(open_interpreter(content), path)
        integers = str(description.get("dtype")).startswith("int")
        window, hop = bundle.manifest.window, bundle.manifest.hop
        self._stream: _Windows | _Steps | _Columns
        if description["form"] == "window":
            self._stream = _Windows(run, window, hop, integers)
        elif "layers" in bundle.manifest.model:
            self._stream = _Columns(run, window, hop, integers)
        else:
            self._stream = _Steps(run, Lanes(window, hop), integers)

    def window(self, x: FloatArray) -> FloatArray:
        return self._stream.window(check_window(x, self._manifest))

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        ends: list[int] = []
        logits = [np.zeros((0, len(self._manifest.labels)), np.float32)]
        for sample in check_samples(x, self._manifest):
            scores = self._stream.step(sample)
            if scores is not None:
                ends.append(self._stream.seen)
                logits.append(scores[None])
        return np.array(ends, np.int64), np.concatenate(logits)

    def reset(self) -> None:
        self._stream.reset()

    def spike_rates(self) -> dict[str, float]:
        """Nothing: a file does not count its spikes."""
        return {}


def open_interpreter(content: bytes) -> Any:
    """An interpreter of the file, one thread; raises MissingError where none can be used."""
    for package, module in INTERPRETERS:
        try:
            found = importlib.import_module(module)
        except ImportError:
            continue
        if package == "tflite_runtime":
            check_numpy(np.__version__)
        return found.Interpreter(model_content=content, num_threads=1)
    raise MissingError(
        "no TFLite interpreter is installed", reason=Reason.NOT_INSTALLED, hint="pip install 'edgehar[litert]'"
    )


def check_numpy(version: str) -> None:
    """tflite-runtime 2.14 was built for NumPy 1 and does not say so: with NumPy 2 it imports, then breaks at use."""
    if int(version.partition(".")[0]) >= 2:
        raise MissingError(
            f"tflite-runtime needs NumPy below 2, this is {version}",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[litert]' (it is preferred), or pip install 'numpy<2'",
        )


def _entry(interpreter: Any, path: Path) -> Any:
    """The signature that takes preprocessed samples."""
    if SIGNATURE_SAMPLES not in interpreter.get_signature_list():
        raise InputError(
            f"{path}: has no entry behind its preprocessing, and a runtime gets preprocessed samples",
            reason=Reason.FORMAT,
            hint="export it with both entries, as edgehar export does",
        )
    return interpreter.get_signature_runner(SIGNATURE_SAMPLES)


class _Windows:
    """The newest window of samples, run whole."""

    def __init__(self, run: Any, window: int, hop: int, integers: bool) -> None:
        self._run, self._window, self._hop, self._integers = run, window, hop, integers
        self._newest: list[FloatArray] = []
        self.seen = 0

    def reset(self) -> None:
        self._newest = []
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        self._newest = [*self._newest[-(self._window - 1) :], x] if self._window > 1 else [x]
        self.seen += 1
        since = self.seen - self._window
        return self.window(np.stack(self._newest)) if since >= 0 and since % self._hop == 0 else None

    def window(self, x: FloatArray) -> FloatArray:
        logits: FloatArray = self._run(x=_finite(x, self._integers))["logits"]
        return np.array(logits[0])


class _Steps:
    """One set of states per lane; the interpreter itself keeps none."""

    def __init__(self, run: Any, lanes: Lanes, integers: bool) -> None:
        self._run, self._lanes, self._integers = run, lanes, integers
        self._start = _start(run)
        self.reset()

    def reset(self) -> None:
        self._states = [self._start] * self._lanes.count
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        plan = self._lanes.plan(self.seen)
        self.seen += 1
        if plan.fresh is not None:
            self._states[plan.fresh] = self._start
        scores = None
        for lane in plan.active:
            logits, self._states[lane] = _advance(self._run, self._states[lane], x[None], self._integers)
            scores = logits if lane == plan.done else scores
        return scores

    def window(self, x: FloatArray) -> FloatArray:
        states = self._start
        for sample in x:
            logits, states = _advance(self._run, states, sample[None], self._integers)
        return logits


class _Columns:
    """A convnet's step: one set of states, which every step of several samples shifts on."""

    def __init__(self, run: Any, window: int, hop: int, integers: bool) -> None:
        self._run, self._window, self._hop, self._integers = run, window, hop, integers
        self._samples = int(run.get_input_details()["x"]["shape"][0])
        self._start = _start(run)
        self.reset()

    def reset(self) -> None:
        self._states = self._start
        self._pending: list[FloatArray] = []
        self.seen = 0

    def step(self, x: FloatArray) -> FloatArray | None:
        self._pending.append(x)
        self.seen += 1
        if len(self._pending) < self._samples:
            return None
        logits, self._states = _advance(self._run, self._states, np.stack(self._pending), self._integers)
        self._pending = []
        since = self.seen - self._window  # a multiple of the step's samples, as window and hop are
        return logits if since >= 0 and since % self._hop == 0 else None

    def window(self, x: FloatArray) -> FloatArray:
        states = self._start
        for first in range(0, self._window, self._samples):
            logits, states = _advance(self._run, states, x[first : first + self._samples], self._integers)
        return logits


def _start(run: Any) -> States:
    details = run.get_input_details()
    return {name: np.zeros(told["shape"], told["dtype"]) for name, told in details.items() if name != "x"}


def _advance(run: Any, states: States, x: FloatArray, integers: bool) -> tuple[FloatArray, States]:
    """Logits [classes] and next states after samples x [n, inputs]."""
    outputs = run(x=_finite(x, integers), **states)
    return np.array(outputs["logits"][0]), {name: outputs[f"{name}_next"] for name in states}


def _finite(x: FloatArray, integers: bool) -> FloatArray:
    """NaN has no integer; a window that holds one has no meaning either way."""
    return np.nan_to_num(x) if integers else x
