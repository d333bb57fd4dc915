"""Low rank for FastGRNN's matrices: factors of a dense matrix, and fewer columns in factors that are there.

A pair of columns (first[:, r], second[:, r]) adds the rank-one matrix first[:, r] second[:, r]^T to the product. Global
Magnitude Pruning ranks columns by L1 norm (section on FastGRNN); the L1 norm of the rank-one matrix is the product of
its two columns' norms, which does not depend on how its scale is shared between the factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgehar.errors import Reason, UsageError
from edgehar.types import FloatArray

Tensors = dict[str, FloatArray]
RANKS = {"W": "rank_w", "U": "rank_u"}


def drop_columns(first: FloatArray, second: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """The `rank` columns of first [n, r] and second [m, r] that add most, in their old order."""
    norms = np.abs(first).sum(axis=0) * np.abs(second).sum(axis=0)
    kept = np.sort(np.argsort(-norms, kind="stable")[:rank])
    return np.ascontiguousarray(first[:, kept]), np.ascontiguousarray(second[:, kept])


def factorise(matrix: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Factors [n, rank] and [m, rank] whose product is the nearest matrix of that rank (truncated SVD)."""
    left, values, right = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    root = np.sqrt(values[:rank])
    return (left[:, :rank] * root).astype(np.float32), (right[:rank].T * root).astype(np.float32)


def prune_ranks(model: Mapping[str, Any], weights: Mapping[str, FloatArray], ranks: Mapping[str, int]) -> _Model:
    """Drop columns of the named factors; `ranks` maps W and U to what is left."""

    def smaller(name: str, rank: int) -> tuple[FloatArray, FloatArray]:
        if f"{name}1" not in weights:
            raise UsageError(
                f"{name} is a full matrix: it has no rank to prune",
                reason=Reason.VALUE,
                hint="factorise it first: the step LowRank, or --factor-w / --factor-u",
            )
        return drop_columns(weights[f"{name}1"], weights[f"{name}2"], rank)

    return _with_factors(model, weights, ranks, smaller)


def factorise_ranks(model: Mapping[str, Any], weights: Mapping[str, FloatArray], ranks: Mapping[str, int]) -> _Model:
    """Replace the named matrices, full or factored, by the nearest factors of the given ranks."""

    def nearest(name: str, rank: int) -> tuple[FloatArray, FloatArray]:
        matrix = weights[name] if name in weights else weights[f"{name}1"] @ weights[f"{name}2"].T
        return factorise(matrix, rank)

    return _with_factors(model, weights, ranks, nearest)


_Model = tuple[dict[str, Any], Tensors]


def _with_factors(
    model: Mapping[str, Any], weights: Mapping[str, FloatArray], ranks: Mapping[str, int], make: Any
) -> _Model:
    if model["family"] != "fastgrnn":
        raise UsageError(
            f"the family {model['family']} has no low-rank form",
            reason=Reason.VALUE,
            hint="prune it instead: --prune, with --block for a board",
        )
    table, tensors = dict(model), dict(weights)
    for name, rank in ranks.items():
        now = _rank(model, weights, name)
        if not 1 <= rank <= now:
            raise UsageError(
                f"{RANKS[name]} {rank} for a matrix {name} of rank {now}",
                reason=Reason.VALUE,
                hint=f"choose 1 to {now}",
            )
        first, second = make(name, rank)
        for old in (name, f"{name}1", f"{name}2"):
            tensors.pop(old, None)
        tensors |= {f"{name}1": first, f"{name}2": second}
        table[RANKS[name]] = rank
    return table, tensors


def _rank(model: Mapping[str, Any], weights: Mapping[str, FloatArray], name: str) -> int:
    rank = model[RANKS[name]]
    return min(weights[name].shape) if rank is None else int(rank)
