"""The runtime of an exported ONNX file, in ONNX Runtime.

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
from edgehar.runtimes.fileruntime import FileRuntime, States
from edgehar.runtimes.onnx_file import SAMPLES, behind_preprocessing, read_description
from edgehar.types import FloatArray

REFUSED = ("1.21.0",)  # dies of SIGILL on a Raspberry Pi 4 (microsoft/onnxruntime#23957)


class OnnxRuntime(FileRuntime):
    """`edgehar.runtimes.Runtime` on an exported file, NAME.onnx beside the bundle or `model`."""

    def __init__(self, bundle: Bundle, model: str | Path | None = None) -> None:
        path = exported_file(bundle, "onnx", model)
        content = path.read_bytes()
        description = read_description(content, str(path))
        check_belongs(description, bundle, path)
        samples = str(description.get(SAMPLES))
        opened = _Model(open_session(behind_preprocessing(content, samples), str(path)), samples)
        integers = description.get("dtype") == "int8"
        super().__init__(bundle.manifest, opened, str(description["form"]), integers=integers)


class _Model:
    """`fileruntime.Model` of a session: one stream of as many as the file takes."""

    def __init__(self, session: Any, samples: str) -> None:
        self._session, self._input = session, samples
        inputs = {told.name: tuple(told.shape[1:]) for told in session.get_inputs()}
        shape = inputs.pop(samples)
        self._flat = len(shape) == 1  # a single sample, without an axis of time
        self.samples = 1 if self._flat else int(shape[0])
        self.start: States = {name: np.zeros((1, *size), np.float32) for name, size in inputs.items()}

    def __call__(self, x: FloatArray, states: States) -> tuple[FloatArray, States]:
        logits, *following = self._session.run(None, {self._input: x if self._flat else x[None], **states})
        return np.asarray(logits[0], np.float32), dict(zip(self.start, following, strict=True))


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
