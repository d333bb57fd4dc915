"""Reading and writing the bytes of a bundle without trusting them: a zip of known members, npz, JSON.

Every size is bounded before memory is taken for it, and every failure is an InputError that names the member.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason

# Member -> largest accepted size in bytes, checked against the zip's directory before anything is unpacked.
MEMBERS: Mapping[str, int] = {
    "manifest.json": 4 << 20,
    "weights.safetensors": 64 << 20,
    "golden.npz": 64 << 20,
    "evaluation.json": 8 << 20,
    "signature": 96,
}
OPTIONAL_MEMBERS = frozenset({"signature"})
MAX_FILE_BYTES = sum(MEMBERS.values())
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's origin


def read_members(content: bytes, source: str) -> dict[str, bytes]:
    """Every member's bytes, after the list of names and the declared sizes have been accepted."""
    archive = _open_zip(content, source)
    entries = archive.infolist()
    names = [e.filename for e in entries]
    for entry in entries:
        name = entry.filename
        if name not in MEMBERS or names.count(name) > 1 or entry.flag_bits & 1:
            what = "encrypted" if entry.flag_bits & 1 else "listed twice" if name in MEMBERS else "not a bundle member"
            raise InputError(
                f"{source}: member '{name[:80]}' is {what}; a bundle holds {', '.join(MEMBERS)}",
                reason=Reason.FORMAT,
                hint="write the bundle again (edgehar train); do not add files to it",
            )
        if entry.file_size > MEMBERS[name]:
            raise InputError(
                f"{source}: {name} unpacks to {entry.file_size} bytes, at most {MEMBERS[name]} are accepted",
                reason=Reason.VALUE,
                hint="do not trust this file; fetch the bundle again from its source",
            )
    for name in MEMBERS:
        if name not in names and name not in OPTIONAL_MEMBERS:
            raise InputError(
                f"{source}: member {name} is missing",
                reason=Reason.FORMAT,
                hint="fetch the bundle again, or write it again (edgehar train)",
            )
    return {name: _read_entry(archive, name, source) for name in names}


def _open_zip(content: bytes, source: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        if content[:4] == b"PK\x03\x04":
            raise InputError(
                f"{source}: truncated after {len(content)} bytes (the zip's directory is missing or damaged: {error})",
                reason=Reason.TRUNCATED,
                hint="copy or download the bundle again",
            ) from None
        raise InputError(
            f"{source}: is not a bundle (a zip), it starts with {content[:4]!r}",
            reason=Reason.FORMAT,
            hint="name a .edgehar file that edgehar train wrote",
        ) from None


def _read_entry(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    try:
        return archive.read(name)
    # zlib.error has no base but Exception's; zipfile lets it, and struct's, through on damaged input
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        raise damaged(source, name, str(error)) from None


def read_npz(content: bytes, source: str) -> dict[str, NDArray[Any]]:
    """Arrays of golden.npz. Unlike `np.load` on the whole archive, bounds every array before allocating it."""
    archive = _open_zip(content, f"{source}: golden.npz")
    arrays: dict[str, NDArray[Any]] = {}
    if sum(e.file_size for e in archive.infolist()) > MEMBERS["golden.npz"]:
        raise damaged(source, "golden.npz", f"unpacks to more than {MEMBERS['golden.npz']} bytes")
    for entry in archive.infolist():
        name = entry.filename
        if not name.endswith(".npy") or name.removesuffix(".npy") in arrays:
            raise damaged(source, "golden.npz", f"holds '{name[:80]}', must hold one .npy for each array")
        raw = _read_entry(archive, name, f"{source}: golden.npz")
        try:
            arrays[name.removesuffix(".npy")] = _read_npy(raw)
        except (ValueError, EOFError, OSError, KeyError, TypeError, SyntaxError) as error:
            raise damaged(source, "golden.npz", f"{name}: {error}") from None
    return arrays


def _read_npy(raw: bytes) -> NDArray[Any]:
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("is not .npy version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if (
        dtype.hasobject
        or dtype.itemsize == 0
        or int(np.prod([*shape, dtype.itemsize], dtype=object)) != len(raw) - stream.tell()
    ):
        raise ValueError(f"announces {shape} of {dtype} but holds {len(raw) - stream.tell()} bytes")
    stream.seek(0)
    array: NDArray[Any] = np.load(stream, allow_pickle=False)
    return array


def parse_json(raw: bytes, name: str, source: str) -> Any:
    def constant(text: str) -> Any:
        raise ValueError(f"{text} is not JSON")

    try:
        return json.loads(raw.decode("utf-8"), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise damaged(source, name, str(error)) from None


def encode_json(value: Any) -> bytes:
    try:
        return json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the bundle holds something that JSON cannot: {error}",
            reason=Reason.VALUE,
            hint="use finite Python numbers, texts, lists and dicts in manifest and evaluation",
        ) from None


def encode_npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def write_zip(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.create_system = 3  # Unix, whatever system writes it
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def damaged(source: str, member: str, what: str) -> InputError:
    return InputError(
        f"{source}: {member} {what}",
        reason=Reason.DAMAGED,
        hint="fetch the bundle again, or write it again (edgehar train)",
    )
