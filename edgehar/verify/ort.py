"""Target `onnxruntime`: the ONNX file in ONNX Runtime, with optimisations as a user would have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.runtimes.onnx_file import SAMPLES, read_description
from edgehar.types import FloatArray
from edgehar.verify.files import FileTarget
from edgehar.verify.target import Subject, Trace, UnsupportedError


class OnnxTarget(FileTarget):
    """Golden windows enter behind the preprocessing, where the live runtime cuts the file as well."""

    ending = "onnx"
    runtime = "edgehar.runtimes.onnx:OnnxRuntime"
    packages: ClassVar[Mapping[str, str]] = {"onnxruntime": "ort", "onnx": "export"}

    def __init__(self, name: str, subject: Subject) -> None:
        super().__init__(name, subject)
        if subject.scheme is not None and (subject.graph.states or subject.scheme != "int8"):
            raise UnsupportedError(
                f"a {subject.graph.family} in {subject.scheme} has no ONNX form with integers throughout",
                reason=Reason.VALUE,
            )

    @property
    def dtype(self) -> str:
        return "float32" if self.subject.scheme is None else "int8"

    def emit(self, form: str, like: Mapping[str, Any] | None = None) -> bytes:  # noqa: ARG002 - nothing to choose
        from edgehar.export.onnx.emit import emit_onnx

        return emit_onnx(self.subject.bundle, form, self.dtype)

    def describe(self, content: bytes, source: str) -> Mapping[str, Any]:
        return read_description(content, source)

    def constants(self, content: bytes, source: str) -> Mapping[str, NDArray[Any]]:
        """Initializers by name, those of loop bodies included."""
        from onnx import numpy_helper

        graphs = [_load(content, source).graph]
        found: dict[str, NDArray[Any]] = {}
        while graphs:
            graph = graphs.pop()
            found |= {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
            graphs += [body for node in graph.node for body in _bodies(node)]
        return found

    def trace(self, x: FloatArray, /) -> Trace:
        """The head's tensors and a convnet's columns; what happens inside a Scan cannot be seen from outside."""
        if self.subject.quantised:
            return {}  # between DequantizeLinear and QuantizeLinear the file's numbers are real
        from edgehar.runtimes.onnx import open_session

        path, graph = self.window_file, self.subject.graph
        made = {name for node in _load(path.read_bytes(), str(path)).graph.node for name in node.output}
        shown = {op.out: name for op in (*graph.step, *graph.head) if (name := _spelling(op.out, made)) is not None}
        content, samples = self._behind(path, list(shown.values()))
        rows = open_session(content, str(path)).run(list(shown.values()), {samples: x[None]})
        return {tensor: _rows(value, graph.sizes[tensor]) for tensor, value in zip(shown, rows, strict=True)}

    def _behind(self, path: Path, outputs: list[str]) -> tuple[bytes, str]:
        """The file with its preprocessed samples as an input and these tensors as outputs; the input's name."""
        content = path.read_bytes()
        samples = str(read_description(content, str(path)).get(SAMPLES))
        return behind(content, samples, outputs), samples


def behind(content: bytes, samples: str, outputs: Iterable[str]) -> bytes:
    """The same model with the tensor `samples` in place of the input in front of it, and these tensors as outputs."""
    import onnx

    model = _load(content, "the ONNX file")
    graph = model.graph
    inputs = [info for info in (*graph.input, *graph.value_info) if info.name == samples]
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output) and samples not in node.output:
            nodes.append(node)
            needed |= {*node.input, *(name for body in _bodies(node) for inside in body.node for name in inside.input)}
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(reversed(nodes))
    graph.input.extend(inputs)
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in outputs)
    return bytes(model.SerializeToString())


def _bodies(node: Any) -> list[Any]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _load(content: bytes, source: str) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(content)
    except Exception as error:
        # protobuf's DecodeError has no public base of its own
        if isinstance(error, MemoryError):
            raise
        raise InputError(
            f"{source}: is not a whole ONNX file",
            reason=Reason.DAMAGED,
            hint="write it again: edgehar export BUNDLE --target onnx --out DIR",
        ) from None


def _spelling(tensor: str, made: set[str]) -> str | None:
    """How a file calls a tensor of the graph: as it is, or within the scope of its part."""
    return next((name for name in (tensor, f"step/{tensor}", f"head/{tensor}") if name in made), None)


def _rows(value: NDArray[Any], size: int) -> NDArray[Any]:
    """[columns, n] of what ONNX keeps as [1, n] or [1, n, columns]."""
    value = np.asarray(value)[0]
    return value.T if value.ndim == 2 and value.shape[0] == size else value.reshape(-1, size)
