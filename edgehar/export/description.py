"""What an exported file says about itself: the JSON object `edgehar` in its metadata, the same in every format."""

from __future__ import annotations

from typing import Any

from edgehar.bundle import Bundle
from edgehar.export.preprocess import Entry
from edgehar.runtimes.exported import model_digest


def describe(bundle: Bundle, entry: Entry, form: str, dtype: str) -> dict[str, Any]:
    """Plain JSON types. `channels` are the file's input in this order; `preprocess_outside` has to run before them."""
    manifest = bundle.manifest
    units = dict(zip(manifest.contract.channels, manifest.contract.units, strict=True))
    return {
        "model_id": manifest.model_id,
        "model_digest": model_digest(bundle),
        "bundle_sha256": bundle.sha256,
        "form": form,
        "dtype": dtype,
        "labels": list(manifest.labels),
        "window": manifest.window,
        "hop": manifest.hop,
        "rate_hz": manifest.contract.rate_hz,
        "channels": list(entry.channels),
        # Behind a filter a channel keeps its name but maybe not its unit.
        "units": [] if entry.outside else [units[name] for name in entry.channels],
        "preprocess_outside": [dict(op) for op in entry.outside],
        "preprocess_inside": [str(op["op"]) for op in entry.inside],
        "stamps": list(manifest.stamps),
    }
