"""The runtime of an exported ONNX file, in ONNX Runtime: every finished window is run whole.

The file lies beside the bundle (NAME.onnx next to NAME.edgehar) or is given.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import InputError, MissingError, Reason
from edgehar.runtimes.exported import check_belongs, exported_file
from edgehar.runtimes.newest import NewestSamples
from edgehar.runtimes.onnx_file import SAMPLES, behind_preprocessing, read_description
from edgehar.runtimes.samples import check_samples, check_window
from edgehar.types import FloatArray, IntArray

REFUSED = ("1.21.0",)  # dies of SIGILL on a Raspberry Pi 4 (microsoft/onnxruntime#23957)


class OnnxRuntime:
    """`edgehar.runtimes.Runtime` on an exported file; it keeps the protocol with its own file's numbers."""

    def __init__(self, bundle: Bundle, model: str | Path | None = None) -> None:
        manifest = bundle.manifest
        path = exported_file(bundle, "onnx", model)
        content = path.read_bytes()
        description = read_description(content, str(path))
        check_belongs(description, bundle, path)
        self._input = str(description.get(SAMPLES))
        self._session = open_session(behind_preprocessing(content, self._input), str(path))
        self._integers = description.get("dtype") == "int8"
        self._manifest = manifest
        self._newest = NewestSamples(manifest.window, manifest.hop, manifest.model["inputs"])

    def window(self, x: FloatArray) -> FloatArray:
        return self._logits(check_window(x, self._manifest))

    def push(self, x: FloatArray) -> tuple[IntArray, FloatArray]:
        found = [(end, self._logits(cut)) for end, cut in self._newest.windows(check_samples(x, self._manifest))]
        logits = np.array([scores for _, scores in found], np.float32).reshape(-1, len(self._manifest.labels))
        return np.array([end for end, _ in found], np.int64), logits

    def reset(self) -> None:
        self._newest.clear()

    def spike_rates(self) -> dict[str, float]:
        """Nothing: a file does not count its spikes."""
        return {}

    def _logits(self, x: FloatArray) -> FloatArray:
        # NaN has no integer; a window that holds one has no meaning either way.
        x = np.nan_to_num(x) if self._integers else x
        (logits,) = self._session.run(None, {self._input: x[None]})
        return np.asarray(logits[0], np.float32)


def open_session(content: bytes, source: str) -> Any:
    """A session on one thread of the CPU. Raises MissingError without a usable ONNX Runtime, InputError if refused."""
    ort = importlib.import_module("onnxruntime") if _usable() else None
    if ort is None:
        raise MissingError(
            "the package onnxruntime is not installed", reason=Reason.NOT_INSTALLED, hint="pip install 'edgehar[ort]'"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    refusals = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented)
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        raise InputError(
            f"{source}: ONNX Runtime {ort.__version__} refuses it: {str(error).splitlines()[0]}",
            reason=Reason.DAMAGED,
            hint="export it again: edgehar export BUNDLE --target onnx --out DIR",
        ) from None


def _usable() -> bool:
    """Whether it is installed; asked before the import, which is where a broken release dies."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if version in REFUSED:
            raise MissingError(
                f"{name} {version} cannot be used: it stops with an illegal instruction on a Raspberry Pi 4",
                reason=Reason.VERSION,
                hint=f"pip install '{name}!={version}'",
            )
        return True
    return False
