"""An exported ONNX file, read and cut with nothing but Python: a device has ONNX Runtime, not the package `onnx`.

A file is a protocol buffer: fields, each a key (number << 3 | wire type) and a value, where wire type 0 is a varint and
2 is a length with as many bytes (protobuf.dev, encoding). The numbers below are those of ONNX's public onnx.proto.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edgehar.errors import InputError, Reason
from edgehar.runtimes.exported import METADATA

INPUT_CHANNELS = "channels"
SAMPLES = "samples"
"""Entry of the description: the tensor behind the preprocessing; it is the input itself where there is none inside."""
SCOPE_PREPROCESS = "preprocess/"
"""How the names of the preprocessing's nodes and constants begin."""

_MODEL_GRAPH, _MODEL_PROPERTIES = 7, 14
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_VALUE = 1, 5, 11, 13
_NODE_NAME, _TENSOR_NAME, _VALUE_NAME = 3, 8, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}


def read_description(content: bytes, source: str) -> dict[str, Any]:
    """The JSON object that edgehar put into the file; InputError where there is none."""
    try:
        found = [dict(_fields(entry)) for number, entry in _fields(content) if number == _MODEL_PROPERTIES]
        described = next((json.loads(entry[2]) for entry in found if entry.get(1) == METADATA.encode()), None)
    except (ValueError, IndexError, KeyError):
        raise _foreign(source, "is not a whole ONNX file") from None
    if not isinstance(described, dict):
        raise _foreign(source, "was not exported by edgehar")
    return described


def behind_preprocessing(content: bytes, samples: str) -> bytes:
    """The same model with its tensor `samples` as the input, and without the preprocessing in front of it."""
    if samples == INPUT_CHANNELS:
        return content
    cut = (
        (number, _without_preprocessing(value, samples) if number == _MODEL_GRAPH else value)
        for number, value in _fields(content)
    )
    return b"".join(_field(number, value) for number, value in cut)


def _without_preprocessing(graph: bytes, samples: str) -> bytes:
    fields = list(_fields(graph))
    inner = [v for number, v in fields if number == _GRAPH_VALUE and _name(v, _VALUE_NAME) == samples]
    kept = []
    for number, value in fields:
        if number == _GRAPH_INPUT and _name(value, _VALUE_NAME) == INPUT_CHANNELS:
            kept += [(_GRAPH_INPUT, value) for value in inner]
        elif not _in_front(number, value) and value not in inner:
            kept.append((number, value))
    return b"".join(_field(number, value) for number, value in kept)


def _in_front(number: int, value: bytes | int) -> bool:
    at = {_GRAPH_NODE: _NODE_NAME, _GRAPH_INITIALIZER: _TENSOR_NAME}.get(number)
    return at is not None and _name(value, at).startswith(SCOPE_PREPROCESS)


def _name(message: bytes | int, number: int) -> str:
    if isinstance(message, int):
        return ""
    return next((str(v, "utf-8") for n, v in _fields(message) if n == number and isinstance(v, bytes)), "")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """(number, bytes or integer) of every field. Raises IndexError where the message is cut off."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        size, at = _varint(message, at) if kind == _BYTES else (_FIXED_SIZES[kind], at)
        if at + size > len(message):
            raise IndexError
        if kind == _BYTES:
            yield number, message[at : at + size]
        at += size


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _encoded(number << 3 | _VARINT) + _encoded(value)
    return _encoded(number << 3 | _BYTES) + _encoded(len(value)) + value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _foreign(source: str, what: str) -> InputError:
    return InputError(
        f"{source}: {what}",
        reason=Reason.FORMAT,
        hint="write it with: edgehar export BUNDLE --target onnx --out DIR",
    )
