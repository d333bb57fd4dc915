"""The formats of an export: which files each writes of a bundle, and what they need on a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgehar.bundle import Bundle
from edgehar.errors import MissingError, Reason, UsageError
from edgehar.export.memory import exact_bytes, has_rounding, step_ram_bytes, stream_ram_bytes, window_ram_bytes
from edgehar.export.preprocess import entry_of
from edgehar.export.stream import streams
from edgehar.graph.graph import Graph

WINDOW, STEP, STREAM = "window", "step", "stream"
FLOAT32, DYNAMIC, INT8, INT8X16 = "float32", "dynamic", "int8", "int8x16"
EXACT, TFLITE = "exact", "tflite"

EMITTERS: Mapping[str, str] = {
    "tflite": "edgehar.export.targets:tflite_files",
    "onnx": "edgehar.export.targets:onnx_files",
    "c": "edgehar.export.targets:c_files",
}
"""Format -> a function (Request) -> Emitted."""

C_CODE_BYTES = 8 * 1024
"""Flash that the C module's code takes beside its constants, at most; `edgehar verify` measures it."""
WEIGHT_BYTES = {FLOAT32: 4, DYNAMIC: 1, INT8: 1, INT8X16: 1}


@dataclass(frozen=True, slots=True)
class Request:
    """What an emitter is asked for; `name` starts the names of its files. `small`: without what a chip never uses.

    `rounding`: of the integers in a TFLite file, "exact" or "tflite", where `has_rounding`.
    """

    target: str
    bundle: Bundle
    graph: Graph
    name: str
    form: str
    dtype: str
    small: bool = False
    rounding: str = EXACT

    @property
    def has_rounding(self) -> bool:
        """Whether `rounding` makes a difference."""
        return self.target == "tflite" and has_rounding(self.graph, self.dtype)


@dataclass(frozen=True, slots=True)
class Emitted:
    """Files by relative path, what a board must have room for, the input. `not_in`: runtimes that lack it, and why."""

    files: Mapping[str, bytes]
    flash_bytes: int
    ram_bytes: int
    form: str
    inside: tuple[str, ...]
    outside: tuple[Mapping[str, Any], ...]
    channels: tuple[str, ...]
    not_in: Mapping[str, str] = field(default_factory=dict)

    def weight_bytes(self, graph: Graph, dtype: str) -> int:
        """The part of `flash_bytes` that is weights, which pruning and quantisation make smaller."""
        weights = sum(constant.value.size for constant in graph.constants().values())
        return min(self.flash_bytes, weights * WEIGHT_BYTES[dtype])


def dtypes_of(target: str, graph: Graph) -> tuple[str, ...]:
    """What a format has for this family, the exactest first."""
    if target == "c":
        return (FLOAT32, INT8X16, INT8)
    if target == "onnx":
        return (FLOAT32, DYNAMIC) if graph.states else (FLOAT32, DYNAMIC, INT8)
    return (FLOAT32, DYNAMIC, INT8X16, INT8)


def forms_of(target: str, graph: Graph) -> tuple[str, ...]:
    """The forms that a format has for this family; a C module streams, whatever is asked for."""
    if target == "c":
        return (STREAM,)
    return (WINDOW, STEP) if graph.states or streams(graph) else (WINDOW,)


def tflite_files(request: Request) -> Emitted:
    """NAME.tflite or NAME.step.tflite; for a chip with its first entry only, which is all that tflite-micro knows."""
    emit_tflite = _import("edgehar.export.tflite.emit", "flatbuffers").emit_tflite
    entries = "channels" if request.small else "both"
    content: bytes = emit_tflite(
        request.bundle, request.form, request.dtype, entries=entries, rounding=request.rounding
    )
    support = _import("edgehar.export.tflite.support", "flatbuffers")
    not_in = {
        cell.runtime: reason
        for cell, reason in support.UNSUPPORTED.items()
        if (cell.family, cell.dtype, cell.form) == (request.graph.family, request.dtype, request.form)
    }
    unpacked = exact_bytes(request.graph) if request.has_rounding and request.rounding == EXACT else 0
    return _one_file(request, "tflite", content, not_in, unpacked)


def onnx_files(request: Request) -> Emitted:
    """NAME.onnx or NAME.step.onnx."""
    emit_onnx = _import("edgehar.export.onnx.emit", "onnx").emit_onnx
    return _one_file(request, "onnx", emit_onnx(request.bundle, request.form, request.dtype), {})


def c_files(request: Request) -> Emitted:
    """The directory `c`: the model's own sources, the runtime that they include, an example and a CMake file."""
    if request.dtype == DYNAMIC:
        raise UsageError(
            "a C module has no dtype 'dynamic': it computes in float32 or in integers throughout",
            reason=Reason.VALUE,
            hint="--dtype float32, or quantise it first: edgehar compress BUNDLE --dataset DIR --quant int8 --out OUT",
        )
    emit = _import("edgehar.export.c.emit", "")
    module = emit.render(request.bundle, emit.Options(), float32=request.dtype == FLOAT32)
    graph = request.graph
    return Emitted(
        {f"c/{name}": text.encode() for name, text in emit.files_of(module).items()},
        flash_bytes=module.constant_bytes + C_CODE_BYTES,
        ram_bytes=stream_ram_bytes(graph, request.dtype, request.bundle.manifest.model),
        form=STREAM,
        inside=tuple(str(op["op"]) for op in graph.preprocess),
        outside=(),
        channels=graph.channels,
    )


def _one_file(
    request: Request, ending: str, content: bytes, not_in: Mapping[str, str], more_ram_bytes: int = 0
) -> Emitted:
    entry = entry_of(request.graph.preprocess, request.graph.channels)
    ram = step_ram_bytes if request.form == STEP else window_ram_bytes
    stem = f"{request.name}.step" if request.form == STEP else request.name
    return Emitted(
        {f"{stem}.{ending}": content},
        flash_bytes=len(content),
        ram_bytes=ram(request.graph, len(entry.channels), request.dtype) + more_ram_bytes,
        form=request.form,
        inside=tuple(str(op["op"]) for op in entry.inside),
        outside=entry.outside,
        channels=entry.channels,
        not_in=not_in,
    )


def _import(module: str, package: str) -> Any:
    """An emitter's module; MissingError names the package that it writes with, if that is absent."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not package or (error.name or "").partition(".")[0] != package:
            raise
        raise MissingError(
            f"the package {package} is not installed",
            reason=Reason.NOT_INSTALLED,
            hint="pip install 'edgehar[export]'",
        ) from None


Emit = Callable[[Request], Emitted]
