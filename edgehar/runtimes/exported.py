"""A file that `edgehar export` made, and the bundle that it was made from: how one finds the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgehar.archive import encode_json
from edgehar.bundle import Bundle
from edgehar.errors import InputError, MissingError, Reason

METADATA = "edgehar"
"""Name of the JSON object in a file's metadata."""


def model_digest(bundle: Bundle) -> str:
    """SHA-256 of all that a file's numbers follow from: shape, weights, preprocessing, window and integer ranges."""
    manifest = bundle.manifest
    told = {
        "model": dict(manifest.model),
        "preprocess": [dict(op) for op in manifest.preprocess],
        "channels": list(manifest.contract.channels),
        "window": manifest.window,
        "quant": None if manifest.quant is None else dict(manifest.quant),
    }
    digest = hashlib.sha256(encode_json(told))
    for name in sorted(bundle.weights):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(bundle.weights[name], "<f4").tobytes())
    return digest.hexdigest()


def exported_file(bundle: Bundle, target: str, given: str | Path | None = None) -> Path:
    """The file to run: `given`, or NAME.onnx, NAME.tflite next to the bundle's NAME.edgehar; `target` is the ending.

    Raises MissingError where it is not there.
    """
    path = Path(given) if given is not None else Path(bundle.path).with_suffix(f".{target}") if bundle.path else None
    if path is None or not path.is_file():
        where = f"{path}: no such file" if path else f"a bundle that was never saved has no .{target} file beside it"
        source = bundle.path or "BUNDLE"
        raise MissingError(
            where,
            reason=Reason.NOT_FOUND,
            hint=f"edgehar export {source} --target {target} --out DIR puts it next to a copy of the bundle",
        )
    return path


def check_belongs(description: Mapping[str, Any], bundle: Bundle, path: Path) -> None:
    """Raise InputError unless the file was made from this bundle's model."""
    if description.get("model_digest") != model_digest(bundle):
        raise InputError(
            f"{path}: was exported from another model ({description.get('model_id')}) than {bundle.manifest.model_id}",
            reason=Reason.VALUE,
            hint=f"export this bundle again: edgehar export {bundle.path or 'BUNDLE'} --out DIR",
        )
