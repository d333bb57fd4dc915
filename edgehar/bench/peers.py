"""Other runtimes on the same model: each makes the decision of one whole window, in the settings that suit it best."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.types import FloatArray

Window = Callable[[FloatArray], FloatArray]
Export = Callable[[Bundle, str, str], bytes]
"""The bundle's file of a kind ("tflite", "onnx") and a form ("window", "step")."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One runtime in one setting: `window` gives the logits of one window x [window, inputs]."""

    name: str
    setting: str
    version: str
    window: Window


def contestants(name: str, bundle: Bundle, export: Export) -> list[Contestant]:
    """All settings of the peer called `name`; the fastest is the one to be compared with."""
    if name not in PEERS:
        raise UsageError(f"peer '{name}'", reason=Reason.VALUE, hint=f"choose from: {', '.join(PEERS)}")
    return PEERS[name](bundle, export)


def dtype_of(bundle: Bundle) -> str:
    """What the bundle's files compute in."""
    return "float32" if bundle.manifest.quant is None else str(bundle.manifest.quant["scheme"])


def _litert(bundle: Bundle, export: Export) -> list[Contestant]:
    """A window file, which is one loop inside LiteRT for recurrent models, and step by step.

    Convnets have window files only.
    """
    from edgehar.runtimes.litert import open_interpreter

    _need("ai_edge_litert", "ai-edge-litert", "edgehar[litert]")
    version = importlib.metadata.version("ai-edge-litert")
    dtype = dtype_of(bundle)
    made = []
    for form in ["window"] if "layers" in bundle.manifest.model else ["window", "step"]:
        interpreter = open_interpreter(export(bundle, "tflite", form))
        call = _tflite_window(interpreter) if form == "window" else _tflite_steps(interpreter)
        made.append(Contestant("litert", f"XNNPACK, 1 thread, {dtype}, {form} file", version, call))
    return made


def _tflite_window(interpreter: Any) -> Window:
    interpreter.allocate_tensors()
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    source, target, shape = given["index"], taken["index"], tuple(given["shape"])

    def window(x: FloatArray) -> FloatArray:
        interpreter.set_tensor(source, x.reshape(shape))
        interpreter.invoke()
        logits: FloatArray = interpreter.get_tensor(target).ravel()
        return logits

    return window


def _tflite_steps(interpreter: Any) -> Window:
    runner = interpreter.get_signature_runner("samples")
    start = {k: np.zeros(v["shape"], v["dtype"]) for k, v in runner.get_input_details().items() if k != "x"}

    def window(x: FloatArray) -> FloatArray:
        states: Mapping[str, Any] = start
        outputs: Mapping[str, Any] = {}
        for sample in x:
            outputs = runner(x=sample[None], **states)
            states = {name: outputs[f"{name}_next"] for name in start}
        return np.array(outputs["logits"][0])

    return window


def _ort(bundle: Bundle, export: Export) -> list[Contestant]:
    """A window file, which is one Scan for recurrent models, by `run` and with its arrays bound once."""
    from edgehar.runtimes.onnx import open_session
    from edgehar.runtimes.onnx_file import SAMPLES, behind_preprocessing, read_description

    _need("onnxruntime", "onnxruntime", "edgehar[ort]")
    version = importlib.metadata.version("onnxruntime")
    dtype = dtype_of(bundle)
    content = export(bundle, "onnx", "window")
    entry = str(read_description(content, "the file")[SAMPLES])
    session = open_session(behind_preprocessing(content, entry), "the file")
    (taken,) = (output.name for output in session.get_outputs())
    shape = (1, bundle.manifest.window, bundle.manifest.model["inputs"])
    bound, logits = np.zeros(shape, np.float32), np.zeros((1, len(bundle.manifest.labels)), np.float32)
    binding = session.io_binding()
    binding.bind_input(entry, "cpu", 0, np.float32, shape, bound.ctypes.data)
    binding.bind_output(taken, "cpu", 0, np.float32, logits.shape, logits.ctypes.data)

    def run(x: FloatArray) -> FloatArray:
        scores: FloatArray = session.run(None, {entry: x[None]})[0][0]
        return scores

    def run_bound(x: FloatArray) -> FloatArray:
        bound[0] = x
        session.run_with_iobinding(binding)
        scores: FloatArray = logits[0].copy()
        return scores

    return [
        Contestant("ort", f"1 thread, {dtype}, window file, run", version, run),
        Contestant("ort", f"1 thread, {dtype}, window file, io_binding", version, run_bound),
    ]


def _need(module: str, package: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        raise MissingError(
            f"the package {package} is not installed", reason=Reason.NOT_INSTALLED, hint=f"pip install '{extra}'"
        ) from None


PEERS: Mapping[str, Callable[[Bundle, Export], list[Contestant]]] = {"litert": _litert, "ort": _ort}
