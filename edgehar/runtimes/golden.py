"""Does a runtime reproduce the golden windows that travel in the bundle?"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import InputError, Reason
from edgehar.runtimes import make_runtime

LEAST_WINDOWS = 8
RELATIVE_ERROR = 1e-4  # of max(1, |logit|); two float32 runtimes with different orders of addition stay well below
ARGMAX_AGREEMENT = 0.995


def check_golden(bundle: Bundle, source: str, runtime: str = "reference") -> dict[str, Any]:
    """Run every golden window; returns {"windows", "max_error", "argmax_agreement"}, raises InputError if they differ.

    max_error is |logit - golden| / max(1, |golden|). A quantised model must give the same bits. A spiking float model
    turns one potential that rounds to the other side of its threshold into another number of spikes, so there only
    the winning label must agree, in 99.5 %.
    """
    x, golden = bundle.golden["x"], bundle.golden["logits"]
    if len(x) < LEAST_WINDOWS:
        raise _differs(source, f"holds {len(x)} windows, at least {LEAST_WINDOWS} are needed to verify a bundle")
    logits_of = make_runtime(runtime, bundle).window
    logits = np.stack([logits_of(window) for window in x])
    errors = np.abs(logits - golden) / np.maximum(1, np.abs(golden))
    agreement = float(np.mean(logits.argmax(axis=1) == golden.argmax(axis=1)))
    worst = int(errors.max(axis=1).argmax())
    quantised = bundle.manifest.quant is not None
    spiking = bundle.manifest.model["family"] == "l2mu" and not quantised
    allowed = 0.0 if quantised else RELATIVE_ERROR
    if not np.isfinite(errors).all() or (not spiking and errors.max() > allowed):
        raise _differs(
            source,
            f"window {worst}: the {runtime} runtime gives {logits[worst].tolist()}, expected {golden[worst].tolist()}",
        )
    if spiking and agreement < ARGMAX_AGREEMENT:
        raise _differs(source, f"the {runtime} runtime agrees on {100 * agreement:.1f} % of {len(x)} windows' labels")
    return {"windows": len(x), "max_error": float(errors.max()), "argmax_agreement": agreement}


def _differs(source: str, what: str) -> InputError:
    return InputError(
        f"{source}: golden.npz {what}",
        reason=Reason.DAMAGED,
        hint="do not deploy this bundle; write it again (edgehar train)",
    )
