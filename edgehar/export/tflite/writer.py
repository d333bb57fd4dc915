"""Bytes of a TFLite file from a model in memory. The same model gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from edgehar.export.tflite.model import Signature, Subgraph, TensorQuant, TfliteOp, TfliteTensor
from edgehar.export.tflite.schema import (
    FILE_IDENTIFIER,
    OPERATORS,
    OPTIONS,
    PLACEHOLDER_FOR_LARGE_CODES,
    SCHEMA_VERSION,
    TENSOR_TYPES,
)
from edgehar.export.tflite.versions import oldest_release, op_version

ABSENT = -1  # index of an input that is left out
BUFFER_ALIGNMENT = 16
VERSION_METADATA = "min_runtime_version"
VERSION_BYTES = 16  # what TFLite's own tools reserve for it


def write_tflite(
    subgraphs: Sequence[Subgraph],
    signatures: Sequence[Signature] = (),
    *,
    metadata: Mapping[str, bytes] | None = None,
    description: str = "edgehar",
) -> bytes:
    """A whole file. `subgraphs[0]` is what an interpreter runs unless it is asked for a signature."""
    return _Writer(subgraphs).file(signatures, metadata or {}, description)


class _Writer:
    """Collects buffers and operator codes while it writes tables; flatbuffers wants children before parents."""

    def __init__(self, subgraphs: Sequence[Subgraph]) -> None:
        self._subgraphs = subgraphs
        self._builder = flatbuffers.Builder(1 << 14)
        # Buffer 0 is empty by convention: that of every tensor that is computed.
        self._buffers: dict[bytes, int] = {b"": 0}
        # What is written once and pointed to from many places: half of a small file is names, shapes and scales.
        self._shared: dict[tuple[Any, ...], int] = {}
        self._codes: dict[tuple[str, int], int] = {}

    def file(self, signatures: Sequence[Signature], metadata: Mapping[str, bytes], description: str) -> bytes:
        graphs = [self._subgraph(graph) for graph in self._subgraphs]
        release = oldest_release(set(self._codes)).encode().ljust(VERSION_BYTES, b"\0")
        entries = [self._metadata(name, content) for name, content in {VERSION_METADATA: release, **metadata}.items()]
        fields = {
            1: self._offsets([self._operator_code(*code) for code in self._codes]),
            2: self._offsets(graphs),
            3: self._text(description),
            6: self._offsets(entries),
        }
        if signatures:
            fields[7] = self._offsets([self._signature(signature) for signature in signatures])
        fields[4] = self._offsets([self._buffer(content) for content in self._buffers])
        model = self._table(10, [("Uint32", 0, SCHEMA_VERSION, 0)], fields)
        self._builder.Finish(model, file_identifier=FILE_IDENTIFIER)
        return bytes(self._builder.Output())

    def _subgraph(self, graph: Subgraph) -> int:
        index = {name: i for i, name in enumerate(graph.tensors)}
        fields = {
            0: self._offsets([self._tensor(tensor) for tensor in graph.tensors.values()]),
            1: self._numbers(np.int32, [index[name] for name in graph.inputs]),
            2: self._numbers(np.int32, [index[name] for name in graph.outputs]),
            3: self._offsets([self._operator(op, graph, index) for op in graph.ops]),
            4: self._text(graph.name),
        }
        return self._table(6, [], fields)

    def _tensor(self, tensor: TfliteTensor) -> int:
        content = b"" if tensor.value is None else _little_endian(tensor.value)
        fields = {0: self._numbers(np.int32, tensor.shape), 3: self._text(tensor.name)}
        if tensor.quant is not None:
            fields[4] = self._quantization(tensor.quant)
        scalars = [("Int8", 1, TENSOR_TYPES[tensor.dtype], 0), ("Uint32", 2, self._buffer_index(content), 0)]
        # A scalar is a tensor of rank 0, not one whose shape is unknown.
        return self._table(11, [*scalars, ("Bool", 8, int(not tensor.shape), 0)], fields)

    def _quantization(self, quant: TensorQuant) -> int:
        fields = {2: self._numbers(np.float32, quant.scale), 3: self._numbers(np.int64, quant.zero_point)}
        return self._once(("quant", quant), lambda: self._table(7, [("Int32", 6, quant.axis, 0)], fields))

    def _operator(self, op: TfliteOp, graph: Subgraph, index: Mapping[str, int]) -> int:
        code = self._codes.setdefault((op.kind, op_version(op, graph)), len(self._codes))
        inputs = [ABSENT if name is None else index[name] for name in op.inputs]
        fields = {1: self._numbers(np.int32, inputs), 2: self._numbers(np.int32, [index[name] for name in op.outputs])}
        scalars = [("Uint32", 0, code, 0)]
        options = OPTIONS.get(op.kind)
        if options is not None:
            given = [
                (f.kind, f.slot, int(op.options[n]), f.default) for n, f in options.fields.items() if n in op.options
            ]
            fields[4] = self._once(("options", options.slots, *given), lambda: self._table(options.slots, given, {}))
            scalars.append(("Uint8", 3, options.code, 0))
        return self._table(14, scalars, fields)

    def _operator_code(self, kind: str, version: int) -> int:
        code = OPERATORS[kind]
        old = min(code, PLACEHOLDER_FOR_LARGE_CODES)
        return self._table(4, [("Int8", 0, old, 0), ("Int32", 2, version, 1), ("Int32", 3, code, 0)], {})

    def _signature(self, signature: Signature) -> int:
        graph = self._subgraphs[signature.subgraph]
        index = {name: i for i, name in enumerate(graph.tensors)}

        def named(tensors: Mapping[str, str]) -> int:
            pairs = [
                self._table(2, [("Uint32", 1, index[tensor], 0)], {0: self._text(public)})
                for public, tensor in tensors.items()
            ]
            return self._offsets(pairs)

        fields = {0: named(signature.inputs), 1: named(signature.outputs), 2: self._text(signature.key)}
        return self._table(5, [("Uint32", 4, signature.subgraph, 0)], fields)

    def _metadata(self, name: str, content: bytes) -> int:
        return self._table(2, [("Uint32", 1, self._buffer_index(content), 0)], {0: self._text(name)})

    def _buffer_index(self, content: bytes) -> int:
        """Equal contents share a buffer: a second entry into the model costs its operators, not its weights."""
        return self._buffers.setdefault(content, len(self._buffers))

    def _buffer(self, content: bytes) -> int:
        fields = {}
        if content:
            self._builder.StartVector(1, len(content), BUFFER_ALIGNMENT)
            self._builder.head -= len(content)
            self._builder.Bytes[self._builder.head : self._builder.head + len(content)] = content
            fields[0] = self._builder.EndVector()
        return self._table(3, [], fields)

    def _numbers(self, dtype: type[np.generic], values: Sequence[float]) -> int:
        array = np.asarray(values, dtype)
        key = ("numbers", dtype, array.tobytes())
        return self._once(key, lambda: int(self._builder.CreateNumpyVector(array)))

    def _text(self, value: str) -> int:
        return self._once(("text", value), lambda: int(self._builder.CreateString(value)))

    def _once(self, key: tuple[Any, ...], make: Callable[[], int]) -> int:
        """Offset of what has been written under `key`; tables may share their children."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def _offsets(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return int(self._builder.EndVector())

    def _table(self, slots: int, scalars: Sequence[tuple[str, int, int, int]], offsets: Mapping[int, int]) -> int:
        """One table of `slots` fields: scalars as (type, slot, value, default), children by slot."""
        self._builder.StartObject(slots)
        for slot, offset in sorted(offsets.items()):
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for kind, slot, value, default in scalars:
            prepend: Callable[[int, Any, Any], None] = getattr(self._builder, f"Prepend{kind}Slot")
            prepend(slot, bool(value) if kind == "Bool" else value, bool(default) if kind == "Bool" else default)
        return int(self._builder.EndObject())


def _little_endian(value: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
