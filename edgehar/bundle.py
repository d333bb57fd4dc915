"""The one-file model: `NAME.edgehar`, a zip of exactly these members. Opening it executes nothing.

    manifest.json         contract, preprocessing, window and hop, labels, model shape, decision, provenance, stamps,
                          and the SHA-256 and size of every member below
    weights.safetensors   float32 tensors, named in docs/bundle.md
    golden.npz            x [n, window, inputs], logits [n, classes] and stage.<name>: what runtimes must reproduce
    evaluation.json       accuracy and its circumstances
    signature             optional: ed25519 public key (32 bytes) + signature (64 bytes) over manifest.json

Equal content gives equal bytes: members are stored uncompressed, in this order, with a fixed time stamp.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from edgehar.archive import (
    MAX_FILE_BYTES,
    damaged,
    encode_json,
    encode_npy,
    parse_json,
    read_members,
    read_npz,
    write_zip,
)
from edgehar.contract import Contract, Sensor, check_contract, contract_diff
from edgehar.errors import InputError, MissingError, Reason
from edgehar.manifest import Decision, Manifest, manifest_from_json, manifest_to_json
from edgehar.types import FloatArray

__all__ = [
    "Bundle",
    "Contract",
    "Decision",
    "Manifest",
    "Sensor",
    "check_contract",
    "contract_diff",
    "open_bundle",
    "save_bundle",
    "verify_bundle",
]


@dataclass(frozen=True)
class Bundle:
    """A model and everything needed to run, judge and trust it.

    `sha256` and `path` are those of the file; empty if it was never saved or opened.
    """

    manifest: Manifest
    weights: Mapping[str, FloatArray]
    golden: Mapping[str, NDArray[Any]]
    evaluation: Mapping[str, Any]
    signature: bytes | None = None
    sha256: str = ""
    path: str = ""


def save_bundle(bundle: Bundle, path: str | Path) -> str:
    """Write `path` atomically; return the file's SHA-256. Raises InputError if the content would not open again."""
    content = _pack(bundle)
    _unpack(content, "the bundle to be saved")
    target = Path(path)
    if not target.parent.is_dir():
        raise MissingError(
            f"{target.parent}: no such directory", reason=Reason.NOT_FOUND, hint=f"mkdir -p {target.parent}"
        )
    try:
        _replace(target, content)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise MissingError(
            f"{target}: cannot be written: {error.strerror}",
            reason=Reason.DISK_FULL if full else Reason.PERMISSION,
            hint="free some space" if full else "choose a directory that you may write to",
        ) from error
    return hashlib.sha256(content).hexdigest()


def open_bundle(path: str | Path) -> Bundle:
    """Read and check a bundle: member list, sizes, hashes, every manifest field, every tensor's name and shape."""
    return replace(_unpack(_read(Path(path)), str(path)), path=str(path))


def verify_bundle(path: str | Path) -> dict[str, Any]:
    """Open `path`, rerun its golden windows in the reference runtime; raise InputError on a difference.

    Returns {"sha256", "windows", "max_error", "argmax_agreement", "signature"}; `signature` is "none",
    "valid: key HEX", or "not checked: WHY" where the package `cryptography` is absent.
    """
    from edgehar.runtimes.golden import check_golden

    content = _read(Path(path))
    bundle = _unpack(content, str(path))
    signature = _check_signature(read_members(content, str(path)), str(path))
    return {"sha256": bundle.sha256, **check_golden(bundle, str(path)), "signature": signature}


def signed_bytes(bundle: Bundle) -> bytes:
    """What a signature covers: manifest.json, which holds the hash of every other member."""
    return _members(bundle)["manifest.json"]


def _replace(target: Path, content: bytes) -> None:
    """Write beside `target`, then rename over it: whoever reads sees the old file or the new one, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide the bundle from other users
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= MAX_FILE_BYTES:
            return path.read_bytes()
    except FileNotFoundError:
        raise MissingError(
            f"{path}: no such bundle", reason=Reason.NOT_FOUND, hint="train one with: edgehar train, or run: make demo"
        ) from None
    except IsADirectoryError:
        raise InputError(
            f"{path}: is a directory, not a bundle", reason=Reason.FORMAT, hint="name the .edgehar file inside it"
        ) from None
    except PermissionError:
        raise MissingError(
            f"{path}: cannot be read by this user", reason=Reason.PERMISSION, hint=f"chmod a+r {path}"
        ) from None
    except OSError as error:
        raise MissingError(
            f"{path}: cannot be read: {error.strerror}", reason=Reason.NOT_FOUND, hint="check the path and its medium"
        ) from None
    raise InputError(
        f"{path}: {size} bytes, a bundle has at most {MAX_FILE_BYTES}",
        reason=Reason.VALUE,
        hint="check that this is a .edgehar file",
    )


def _check_signature(members: Mapping[str, bytes], source: str) -> str:
    if "signature" not in members:
        return "none"
    try:
        ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
        invalid = importlib.import_module("cryptography.exceptions").InvalidSignature
    except ImportError:
        return "not checked: the package 'cryptography' is not installed"
    key, signature = members["signature"][:32], members["signature"][32:]
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, members["manifest.json"])
    except (invalid, ValueError):
        raise damaged(source, "signature", "does not fit manifest.json") from None
    return f"valid: key {key.hex()}"


def _members(bundle: Bundle) -> dict[str, bytes]:
    weights = {name: np.ascontiguousarray(w, dtype="<f4") for name, w in bundle.weights.items()}
    below = {
        "weights.safetensors": bytes(safetensors.numpy.save(weights)),
        "golden.npz": write_zip({f"{name}.npy": encode_npy(a) for name, a in sorted(bundle.golden.items())}),
        "evaluation.json": encode_json(dict(bundle.evaluation)),
    }
    listed = {name: {"sha256": hashlib.sha256(c).hexdigest(), "size": len(c)} for name, c in below.items()}
    return {"manifest.json": encode_json({**manifest_to_json(bundle.manifest), "members": listed}), **below}


def _pack(bundle: Bundle) -> bytes:
    members = _members(bundle)
    if bundle.signature is not None:
        members["signature"] = bundle.signature
    return write_zip(members)


def _unpack(content: bytes, source: str) -> Bundle:
    members = read_members(content, source)
    document = parse_json(members["manifest.json"], "manifest.json", source)
    listed = document.pop("members", None) if isinstance(document, dict) else None
    manifest = manifest_from_json(document)
    for name, member in members.items():
        if name not in ("manifest.json", "signature"):
            _check_hash(name, member, listed, source)

    from edgehar.runtimes.layout import check_tensors

    try:
        weights = safetensors.numpy.load(members["weights.safetensors"])
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise damaged(source, "weights.safetensors", str(error)) from None
    check_tensors(manifest, weights)
    golden = read_npz(members["golden.npz"], source)
    _check_golden_shapes(manifest, golden, source)
    evaluation = parse_json(members["evaluation.json"], "evaluation.json", source)
    if not isinstance(evaluation, dict):
        raise damaged(source, "evaluation.json", "is not an object")
    digest = hashlib.sha256(content).hexdigest()
    return Bundle(manifest, weights, golden, evaluation, members.get("signature"), digest)


def _check_hash(name: str, member: bytes, listed: Any, source: str) -> None:
    entry = listed.get(name) if isinstance(listed, dict) else None
    if not isinstance(entry, dict) or set(entry) != {"sha256", "size"}:
        raise damaged(source, "manifest.json", f"members.{name} is {entry!r}, must hold sha256 and size")
    if entry["size"] != len(member):
        raise damaged(source, name, f"has {len(member)} bytes, manifest.json says {entry['size']}")
    found = hashlib.sha256(member).hexdigest()
    if entry["sha256"] != found:
        raise damaged(source, name, f"has SHA-256 {found[:16]}..., manifest.json says {str(entry['sha256'])[:16]}...")


def _check_golden_shapes(manifest: Manifest, golden: Mapping[str, NDArray[Any]], source: str) -> None:
    for name, tail in (("x", (manifest.window, manifest.model["inputs"])), ("logits", (manifest.outputs,))):
        array = golden.get(name)
        if array is None or array.shape[1:] != tail or array.dtype != np.float32:
            found = "missing" if array is None else f"{array.dtype} {array.shape}"
            raise damaged(source, "golden.npz", f"{name} is {found}, must be float32 [n, {', '.join(map(str, tail))}]")
    if len(golden["x"]) != len(golden["logits"]) or len(golden["x"]) == 0:
        raise damaged(source, "golden.npz", f"holds {len(golden['x'])} x and {len(golden['logits'])} logits")
