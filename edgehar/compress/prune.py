"""Which weights to prune: Global Magnitude Pruning (Gupta et al., arXiv 2209.14624) and what it is compared with.

Pure functions of weights and blocks. Sparsity is the fraction of all prunable weights that become zero, and is met to
within one block: global: one threshold for the whole network; uniform: the same fraction of every tensor; random: a
draw from a seed. A tensor whose weights have other magnitudes than the rest can lose all of them to a global threshold
(layer collapse); a minimum threshold keeps a share of weights in every tensor and takes the difference from the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgehar.compress.blocks import Masks, Units, Weights
from edgehar.errors import Reason, UsageError

METHODS = ("global", "uniform", "random")
Scores = Mapping[str, NDArray[np.float64]]


def masks(
    method: str,
    weights: Weights,
    units: Mapping[str, Units],
    sparsity: float,
    *,
    min_threshold: float = 0.0,
    seed: int = 0,
) -> Masks:
    """True where a weight is kept. `min_threshold`: percent of all weights that every tensor keeps, for `global`."""
    if method == "random":
        generator = np.random.default_rng(seed)
        # A draw among what is left: blocks that are zero already go first.
        scores: Scores = {
            name: generator.random(len(unit.size)) * (unit.scores(weights[name]) > 0)
            for name, unit in sorted(units.items())
        }
    else:
        scores = {name: units[name].scores(w) for name, w in weights.items()}
    total = sum(int(unit.size.sum()) for unit in units.values())
    budget = int(sparsity * total)
    if method == "uniform":
        pruned = {name: int(sparsity * unit.size.sum()) for name, unit in units.items()}
        return by_tensor(scores, units, pruned)
    whole = globally(scores, units, budget)
    if not min_threshold:
        return whole
    sizes = {name: mask.size for name, mask in whole.items()}
    wanted = {name: int(mask.size - mask.sum()) for name, mask in whole.items()}
    return by_tensor(scores, units, redistribute(wanted, sizes, int(total * min_threshold / 100), budget))


def globally(scores: Scores, units: Mapping[str, Units], budget: int) -> Masks:
    """Prune the lowest-scoring blocks of the whole network, `budget` weights at most; ties go by position."""
    names = list(scores)
    joined = np.concatenate([scores[name] for name in names])
    size = np.concatenate([units[name].size for name in names])
    keep = _keep(joined, size, budget)
    ends = np.cumsum([len(scores[name]) for name in names])
    parts = np.split(keep, ends[:-1])
    return {name: units[name].spread(part) for name, part in zip(names, parts, strict=True)}


def by_tensor(scores: Scores, units: Mapping[str, Units], pruned: Mapping[str, int]) -> Masks:
    """Prune each tensor's lowest-scoring blocks, `pruned[name]` weights at most."""
    return {name: unit.spread(_keep(scores[name], unit.size, pruned[name])) for name, unit in units.items()}


def redistribute(wanted: Mapping[str, int], sizes: Mapping[str, int], least: int, budget: int) -> dict[str, int]:
    """How many weights each tensor loses so that all keep `least` of them and `budget` are lost together.

    `wanted` is what the global threshold takes. A tensor smaller than `least` stays dense; one that would keep fewer
    is pinned there; the others are scaled up in proportion until the budget is met.
    """
    most = {name: max(0, size - least) for name, size in sizes.items()}
    if sum(most.values()) < budget:
        total = sum(sizes.values())
        raise UsageError(
            f"keeping {least} weights in every tensor leaves {sum(most.values())} of {total} to prune, "
            f"{budget} were asked for",
            reason=Reason.VALUE,
            hint=f"prune at most {sum(most.values()) / total:.3f}, or lower the minimum threshold",
        )
    # A tensor that the threshold does not touch at all could not be scaled up: one weight is its start.
    share = {name: float(max(1, wanted[name])) for name in sizes}
    lost = dict.fromkeys(sizes, 0.0)
    free = {name for name in sizes if most[name]}
    while free:
        left = budget - sum(lost[name] for name in sizes if name not in free)
        scale = left / sum(share[name] for name in free)
        full = {name for name in free if scale * share[name] >= most[name]}
        lost |= {name: float(most[name]) if name in full else scale * share[name] for name in free}
        if not full:
            break
        free -= full
    return _rounded(lost, most, budget)


def _rounded(lost: Mapping[str, float], most: Mapping[str, int], budget: int) -> dict[str, int]:
    """Whole numbers that add up to `budget`, the largest fractions rounded up."""
    whole = {name: int(value) for name, value in lost.items()}
    for name in sorted(lost, key=lambda n: whole[n] - lost[n]):
        if sum(whole.values()) < budget and whole[name] < most[name]:
            whole[name] += 1
    return whole


def _keep(scores: NDArray[np.float64], size: NDArray[np.int64], budget: int) -> NDArray[np.bool_]:
    """False for the lowest scores, as many as fit into `budget` weights."""
    order = np.argsort(scores, kind="stable")
    lost = np.cumsum(size[order]) <= budget
    keep = np.ones(len(scores), np.bool_)
    keep[order[lost]] = False
    return keep


def cubic(start: float, end: float, done: float) -> float:
    """Sparsity at the fraction `done` of a gradual schedule: end + (start - end) (1 - done)^3 (Zhu & Gupta 2017).

    >>> cubic(0.0, 0.5, 0.5)
    0.4375
    """
    return end + (start - end) * (1 - min(1.0, max(0.0, done))) ** 3
