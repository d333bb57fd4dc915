"""Target `litert`: the TFLite file in the interpreter that is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.runtimes import Runtime
from edgehar.runtimes.litert import INTERPRETERS
from edgehar.runtimes.tflite_file import read_description
from edgehar.types import FloatArray
from edgehar.verify.files import FileTarget
from edgehar.verify.target import Trace, UnsupportedError


class LitertTarget(FileTarget):
    """The trace comes from a step file of the same model: a WHILE cannot be looked into."""

    ending = "tflite"
    runtime = "edgehar.runtimes.litert:LitertRuntime"
    packages: ClassVar[Mapping[str, str]] = {"flatbuffers": "export"}

    @property
    def dtype(self) -> str:
        return self.subject.scheme or "float32"

    def missing(self) -> str | None:
        if not any(importlib.util.find_spec(package) for package, _ in INTERPRETERS):
            return "pip install 'edgehar[litert,export]'"
        return super().missing()

    def emit(self, form: str, like: Mapping[str, Any] | None = None) -> bytes:
        from edgehar.export.tflite.emit import emit_tflite

        return emit_tflite(self.subject.bundle, form, self.dtype, rounding=rounding_of(like))

    def open(self, path: Path) -> Runtime:
        try:
            return super().open(path)
        except InputError as error:
            if error.reason is not Reason.FORMAT or self.subject.exported is None:
                raise
            raise UnsupportedError(
                f"{path} takes channels only, for tflite-micro; golden windows lie behind the preprocessing",
                reason=Reason.FORMAT,
            ) from None

    def describe(self, content: bytes, source: str) -> Mapping[str, Any]:
        return read_description(content, source)

    def constants(self, content: bytes, source: str) -> Mapping[str, NDArray[Any]]:
        from edgehar.verify.tflite_constants import tflite_constants

        return tflite_constants(content, source)

    def logit_step(self) -> float | None:
        from edgehar.verify.tflite_constants import tflite_logit_step

        return tflite_logit_step(self.window_file.read_bytes(), str(self.window_file))

    def trace(self, x: FloatArray, /) -> Trace:
        if importlib.util.find_spec("ai_edge_litert") is None:
            return {}  # the others do not keep what lies between
        from edgehar.verify.litert_trace import trace_file

        told = None
        if self.subject.exported is not None:
            told = self.describe(self.window_file.read_bytes(), str(self.window_file))
        return trace_file(self.subject.graph, x, _interpreter, exact=rounding_of(told) == "exact")


def rounding_of(told: Mapping[str, Any] | None) -> str:
    """Of a fresh file, or of one that says this about itself; TFLite's own before files said so."""
    return "exact" if told is None else str(told.get("rounding", "tflite"))


def _interpreter(content: bytes) -> Any:
    """Without the XNNPACK delegate, whose fused operators would not show what lies between them."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # type: ignore[import-untyped]

    return Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
