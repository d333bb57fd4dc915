"""Opening a bundle that is to be judged: when its weights are damaged, which tensor is it?"""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.numpy

from edgehar.archive import read_members, read_npz
from edgehar.bundle import Bundle, open_bundle
from edgehar.errors import EdgeHarError, InputError, Reason
from edgehar.runtimes.digests import KEY, digest


def open_or_name_damage(path: Path) -> Bundle:
    """`open_bundle`; where it refuses damaged weights, the error also names the tensors that are not as recorded."""
    try:
        return open_bundle(path)
    except InputError as error:
        tensors = damaged_tensors(path) if error.reason is Reason.DAMAGED else []
        if not tensors:
            raise
        names = ", ".join(f"'{name}'" for name in tensors)
        raise InputError(
            f"{error}; the tensors that differ from what the bundle was made with: {names}",
            reason=error.reason,
            hint=error.hint,
        ) from None


def damaged_tensors(path: Path) -> list[str]:
    """Tensors of weights.safetensors whose fingerprint is not the recorded one; [] where that cannot be told."""
    try:
        members = read_members(path.read_bytes(), str(path))
        golden = read_npz(members["golden.npz"], str(path))
        weights = safetensors.numpy.load(members["weights.safetensors"])
    except (EdgeHarError, safetensors.SafetensorError, ValueError, KeyError):
        return []
    recorded = {str(name): str(value) for name, value in golden.get(KEY, ())}
    return [name for name, w in sorted(weights.items()) if recorded.get(f"weights.{name}", digest(w)) != digest(w)]
