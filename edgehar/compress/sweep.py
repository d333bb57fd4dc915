"""Several compressions of one bundle side by side: what accuracy do how many bytes buy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgehar.bundle import Bundle, save_bundle
from edgehar.compress.data import Data
from edgehar.compress.measure import figures
from edgehar.compress.steps import Progress, Prune, Step, compress

KEPT = ("accuracy", "worst_subject", "mean_subject", "validation_accuracy", "nonzeros", "dense_bytes", "packed_bytes")


def sweep(
    bundle: Bundle,
    data: Data,
    sparsities: Sequence[float],
    pruning: Prune,
    out: Path,
    *,
    quantise: Step | None = None,
    seed: int = 0,
    epochs: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Prune the bundle to every sparsity (0: leave it), each also quantised if asked; bundles go to the folder `out`.

    Every sparsity starts from the same bundle. The points carry `pareto`: no other has both more accuracy and fewer
    bytes. They are measured on the test people, so a point chosen by its place there is chosen on them.
    """
    points: list[dict[str, Any]] = []
    rounds = len(sparsities) * (1 if quantise is None else 2)

    def within(number: int) -> Progress | None:
        if progress is None:
            return None
        return lambda done, total: progress(number * total + done, rounds * max(1, total))

    for sparsity in sparsities:
        steps: list[Step] = [replace(pruning, sparsity=sparsity)] if sparsity else []
        made, measured = _compressed(bundle, data, steps, seed, epochs, within(len(points)))
        points.append(_save(made, measured, sparsity, out))
        if quantise is not None:
            small, measured = _compressed(made, data, [quantise], seed, epochs, within(len(points)))
            points.append(_save(small, measured, sparsity, out))
    return marked(points)


def marked(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points with `pareto`: false where another is at least as good in accuracy and bytes, and better in one."""

    def beaten(p: Mapping[str, Any]) -> bool:
        return any(
            q["accuracy"] >= p["accuracy"]
            and q["packed_bytes"] <= p["packed_bytes"]
            and (q["accuracy"], q["packed_bytes"]) != (p["accuracy"], p["packed_bytes"])
            for q in points
        )

    return [{**p, "pareto": not beaten(p)} for p in points]


def _compressed(
    bundle: Bundle,
    data: Data,
    steps: Sequence[Step],
    seed: int,
    epochs: int | None,
    progress: Progress | None,
) -> tuple[Bundle, Mapping[str, Any]]:
    """The bundle behind the steps, and its figures."""
    if not steps:
        return bundle, figures(bundle, data)
    small, reports = compress(bundle, data, steps, seed=seed, epochs=epochs, progress=progress)
    return small, reports[-1].after


def _save(bundle: Bundle, measured: Mapping[str, Any], sparsity: float, out: Path) -> dict[str, Any]:
    scheme = str((bundle.manifest.quant or {}).get("scheme", ""))
    name = f"{100 * sparsity:g}%" + (f"-{scheme}" if scheme else "")
    file = f"{name.replace('%', '')}.edgehar"
    sha256 = save_bundle(bundle, out / file)
    return {
        "name": name,
        "sparsity": sparsity,
        "quant": scheme,
        **{key: measured[key] for key in KEPT},
        "unit": measured["unit"],
        "effective": measured["effective"],
        "bundle": file,
        "bundle_sha256": sha256,
    }
