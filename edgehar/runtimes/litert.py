"""The runtime of an exported TFLite file, in whichever interpreter is installed.

The file lies beside the bundle (NAME.tflite next to NAME.edgehar) or is given.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import InputError, MissingError, Reason
from edgehar.runtimes.exported import check_belongs, exported_file
from edgehar.runtimes.fileruntime import FileRuntime, States
from edgehar.runtimes.tflite_file import SIGNATURE_SAMPLES, read_description
from edgehar.types import FloatArray

INTERPRETERS = (
    ("ai_edge_litert", "ai_edge_litert.interpreter"),
    ("tflite_runtime", "tflite_runtime.interpreter"),
    ("tensorflow", "tensorflow.lite"),
)
"""Package and module, in the order of preference: speed and size."""


class LitertRuntime(FileRuntime):
    """`edgehar.runtimes.Runtime` on an exported file, NAME.tflite beside the bundle or `model`."""

    def __init__(self, bundle: Bundle, model: str | Path | None = None) -> None:
        path = exported_file(bundle, "tflite", model)
        content = path.read_bytes()
        description = read_description(content, str(path))
        check_belongs(description, bundle, path)
        integers = str(description.get("dtype")).startswith("int")
        opened = _Model(_entry(open_interpreter(content), path))
        super().__init__(bundle.manifest, opened, str(description["form"]), integers=integers)


class _Model:
    """`fileruntime.Model` of a signature."""

    def __init__(self, run: Any) -> None:
        self._run = run
        inputs = run.get_input_details()
        self.samples = int(inputs["x"]["shape"][0])
        self.start: States = {
            name: np.zeros(told["shape"], told["dtype"]) for name, told in inputs.items() if name != "x"
        }

    def __call__(self, x: FloatArray, states: States) -> tuple[FloatArray, States]:
        outputs = self._run(x=x, **states)
        return np.array(outputs["logits"][0]), {name: outputs[f"{name}_next"] for name in states}


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
