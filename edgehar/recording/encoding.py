"""What stands inside the MCAP messages: samples as a structure of arrays, labels and stream descriptions as JSON.

One samples message, little-endian, without padding; n samples, c channels:

    u8   version (1)            u8  number of aux arrays      u16 c      u32 n
    i64  t_dev_ns[n]            first value, then differences
    i64  t_host_ns[n]           first value, then differences
    i64  seq[n]                 first value, then differences
    u16  flags[n]
    f32  x[c][n]                channel by channel
    per aux array: u8 length of its name, the name (UTF-8), 4 bytes NumPy type ("<i2" padded with blanks), values[n]

Differences make a steady clock compress to almost nothing; they are exact, also where int64 wraps.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.types import Chunk, StreamSpec

SAMPLES_VERSION = 1
SAMPLES_ENCODING = "edgehar.samples.v1"
SPEC_SCHEMA = "edgehar.StreamSpec"
LABELS_TOPIC = "labels"
STREAM_TOPIC_PREFIX = "stream/"
METADATA = "edgehar.recording"
METADATA_EXTRA = "edgehar.extra"
METADATA_COUNTS = "edgehar.counts/"  # and the stream's name

_HEAD = struct.Struct("<BBHI")
_INT64 = np.dtype("<i8")
_FLOAT32 = np.dtype("<f4")
_UINT16 = np.dtype("<u2")
_AUX_KINDS = "biuf"  # booleans, integers, floats: nothing that needs an interpreter to read


@dataclass(frozen=True, slots=True)
class Label:
    """One annotated interval, [t0_ns, t1_ns) in device time. `stream`: whose, where devices' clocks differ; "" all."""

    t0_ns: int
    t1_ns: int
    label: str
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """The arrays of one samples message; as in `Chunk`, except that x is [c, n]."""

    t_dev_ns: NDArray[np.int64]
    t_host_ns: NDArray[np.int64]
    seq: NDArray[np.int64]
    flags: NDArray[np.uint16]
    x: NDArray[np.float32]
    aux: Mapping[str, NDArray[np.generic]]


def encode_samples(chunk: Chunk, first: int = 0, last: int | None = None) -> bytes:
    """Samples `first` to `last` (exclusive) of `chunk` as one message."""
    part = slice(first, last)
    t_dev_ns = np.asarray(chunk.t_dev_ns[part], _INT64)
    pieces = [
        _HEAD.pack(SAMPLES_VERSION, len(chunk.aux), chunk.x.shape[1], len(t_dev_ns)),
        _differences(t_dev_ns),
        _differences(chunk.t_host_ns[part]),
        _differences(chunk.seq[part]),
        np.ascontiguousarray(chunk.flags[part], _UINT16).tobytes(),
        np.ascontiguousarray(chunk.x[part].T, _FLOAT32).tobytes(),
    ]
    for name, array in chunk.aux.items():
        values = np.ascontiguousarray(array[part])
        dtype = values.dtype.newbyteorder("<")
        if dtype.kind not in _AUX_KINDS or values.ndim != 1:
            raise InputError(
                f"aux array '{name}' has type {values.dtype} and shape {values.shape}",
                reason=Reason.VALUE,
                hint="aux holds one boolean, integer or float per sample",
            )
        encoded = name.encode()
        pieces += [
            struct.pack("<B", len(encoded)),
            encoded,
            dtype.str.replace("|", "<").ljust(4).encode(),
            values.astype(dtype).tobytes(),
        ]
    return b"".join(pieces)


def decode_samples(message: bytes) -> Samples:
    """Inverse of `encode_samples`. Raises InputError on an unknown version or a length that does not add up."""
    try:
        return _decode(message)
    except (struct.error, ValueError, UnicodeDecodeError, TypeError) as error:
        raise InputError(
            f"a samples message of {len(message)} bytes does not decode: {error}",
            reason=Reason.DAMAGED,
            hint="repair the recording: edgehar repair OLD.mcap NEW.mcap",
        ) from error


def _decode(message: bytes) -> Samples:
    version, aux_count, channels, n = _HEAD.unpack_from(message)
    if version != SAMPLES_VERSION:
        raise InputError(
            f"samples message version {version}; this edgehar reads version {SAMPLES_VERSION}",
            reason=Reason.VERSION,
            hint="upgrade: pip install --upgrade edgehar",
        )
    at = _HEAD.size
    stamps = []
    for _ in range(3):
        stamps.append(np.frombuffer(message, _INT64, n, at).cumsum())
        at += 8 * n
    flags = np.frombuffer(message, _UINT16, n, at)
    at += 2 * n
    x = np.frombuffer(message, _FLOAT32, n * channels, at).reshape(channels, n)
    at += 4 * n * channels
    aux: dict[str, NDArray[np.generic]] = {}
    for _ in range(aux_count):
        name_end = at + 1 + message[at]
        name = message[at + 1 : name_end].decode()
        dtype = np.dtype(message[name_end : name_end + 4].decode().strip())
        aux[name] = np.frombuffer(message, dtype, n, name_end + 4)
        at = name_end + 4 + n * dtype.itemsize
    if at != len(message):
        raise ValueError(f"{len(message) - at} bytes too many")
    return Samples(stamps[0], stamps[1], stamps[2], flags, x, aux)


def encode_spec(spec: StreamSpec) -> bytes:
    """`spec` as JSON."""
    return json.dumps(asdict(spec)).encode()


def decode_spec(text: bytes) -> StreamSpec:
    """Inverse of `encode_spec`; fields that a later version adds are ignored."""
    fields: dict[str, Any] = json.loads(text)
    known = {name: fields[name] for name in StreamSpec.__dataclass_fields__ if name in fields}
    return StreamSpec(**{**known, "channels": tuple(known["channels"]), "units": tuple(known["units"])})


def encode_label(label: Label) -> bytes:
    """`label` as JSON."""
    fields = asdict(label)
    if not label.stream:
        del fields["stream"]
    return json.dumps(fields).encode()


def decode_label(text: bytes) -> Label:
    """Inverse of `encode_label`."""
    fields = json.loads(text)
    return Label(int(fields["t0_ns"]), int(fields["t1_ns"]), str(fields["label"]), str(fields.get("stream", "")))


def _differences(stamps: NDArray[np.int64]) -> bytes:
    stamps = np.asarray(stamps, _INT64)
    steps = np.empty(len(stamps), _INT64)
    if len(stamps):
        steps[0] = stamps[0]
        np.subtract(stamps[1:], stamps[:-1], out=steps[1:])
    return steps.tobytes()
