"""Constants, scales and zero points in a TFLite file, by subgraph and tensor name.

Field numbers are those of TensorFlow Lite's public `schema.fbs`: Model 2 subgraphs, 4 buffers; SubGraph 0 tensors,
2 outputs, 3 operators, 4 name; Operator 1 inputs, 2 outputs; Tensor 1 type, 2 buffer, 3 name, 4 quantization;
QuantizationParameters 2 scale, 3 zero_point; Buffer 0 data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import flatbuffers.encode
import flatbuffers.number_types
import flatbuffers.table
import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.export.tflite.schema import TENSOR_TYPES

TYPES = {code: dtype for dtype, code in TENSOR_TYPES.items()}
FLAGS = flatbuffers.number_types


def tflite_constants(content: bytes, source: str) -> dict[str, NDArray[Any]]:
    """{"subgraph/tensor": value, "scale of subgraph/tensor": scales, ...}. Raises InputError for a damaged file."""
    return _whole(_read, content, source)


def tflite_logit_step(content: bytes, source: str) -> float | None:
    """What one unit of the integers is worth that become the float32 logits at the end; None where there are none."""
    return _whole(_read_step, content, source)


Found = TypeVar("Found")


def _whole(read: Callable[[bytes], Found], content: bytes, source: str) -> Found:
    try:
        return read(content)
    except Exception as error:
        # flatbuffers follows whatever offsets it finds; what a damaged one raises is struct's, NumPy's or its own
        if isinstance(error, MemoryError):
            raise
        raise InputError(
            f"{source}: is not a whole TFLite file: {error}",
            reason=Reason.DAMAGED,
            hint="write it again: edgehar export BUNDLE --target tflite --out DIR",
        ) from None


def _read_step(content: bytes) -> float | None:
    """Integers become logits by DEQUANTIZE, whose input has a scale, or by a product with a constant NAME_scale."""
    constants = _read(content)
    for subgraph in _tables(_model(content), 2):
        tensors = [f"{_text(subgraph, 4)}/{_text(tensor, 3)}" for tensor in _tables(subgraph, 0)]
        types = [TYPES[_scalar(tensor, 1, FLAGS.Int8Flags)] for tensor in _tables(subgraph, 0)]
        results = {int(i) for i in _numbers(subgraph, 2, np.int32) if types[int(i)] == np.float32}
        for operator in _tables(subgraph, 3):
            if results & set(_numbers(operator, 2, np.int32).tolist()):
                for i in _numbers(operator, 1, np.int32):
                    scale = constants.get(f"scale of {tensors[i]}")
                    if tensors[i].endswith("_scale"):
                        scale = constants.get(tensors[i])
                    if scale is not None and len(scale.ravel()) == 1:
                        return float(scale.ravel()[0])
    return None


def _model(content: bytes) -> Any:
    return flatbuffers.table.Table(content, flatbuffers.encode.Get(FLAGS.UOffsetTFlags.packer_type, content, 0))


def _read(content: bytes) -> dict[str, NDArray[Any]]:
    model = _model(content)
    buffers = [_numbers(table, 0, np.uint8) for table in _tables(model, 4)]
    found: dict[str, NDArray[Any]] = {}
    for subgraph in _tables(model, 2):
        graph_name = _text(subgraph, 4)
        for tensor in _tables(subgraph, 0):
            name = f"{graph_name}/{_text(tensor, 3)}"
            content_of = buffers[_scalar(tensor, 2, FLAGS.Uint32Flags)]
            if len(content_of):
                found[name] = content_of.view(TYPES[_scalar(tensor, 1, FLAGS.Int8Flags)])
            quant = tensor.Offset(4 + 2 * 4)
            if quant:
                table = flatbuffers.table.Table(content, tensor.Indirect(tensor.Pos + quant))
                for slot, dtype, what in ((2, np.float32, "scale of"), (3, np.int64, "zero point of")):
                    numbers = _numbers(table, slot, dtype)
                    if len(numbers):
                        found[f"{what} {name}"] = numbers
    return found


def _tables(table: Any, slot: int) -> list[Any]:
    at = table.Offset(4 + 2 * slot)
    if not at:
        return []
    start = table.Vector(at)
    return [flatbuffers.table.Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(table.VectorLen(at))]


def _numbers(table: Any, slot: int, dtype: type[np.generic]) -> NDArray[Any]:
    at = table.Offset(4 + 2 * slot)
    if not at:
        return np.zeros(0, dtype)
    count, start = table.VectorLen(at), table.Vector(at)
    return np.frombuffer(table.Bytes, dtype, count, start)


def _scalar(table: Any, slot: int, flags: Any) -> int:
    at = table.Offset(4 + 2 * slot)
    return int(table.Get(flags, table.Pos + at)) if at else 0


def _text(table: Any, slot: int) -> str:
    at = table.Offset(4 + 2 * slot)
    return table.String(table.Pos + at).decode() if at else ""
