"""Columns of low-rank factors: which go, and what is left of the product."""

from __future__ import annotations

import numpy as np
import pytest
from factories import random_bundle

from edgehar.compress.rank import drop_columns, factorise, factorise_ranks, prune_ranks
from edgehar.errors import UsageError


def test_the_columns_that_add_least_go_and_the_others_keep_their_order():
    first = np.array([[1.0, 10.0, 3.0], [1.0, 0.0, 3.0]], np.float32)
    second = np.array([[5.0, 0.1, 2.0]], np.float32)
    # L1 norms of the rank-one matrices: 10, 1, 12.
    left, right = drop_columns(first, second, 2)
    np.testing.assert_array_equal(left, first[:, [0, 2]])
    np.testing.assert_array_equal(right, second[:, [0, 2]])


def test_the_choice_does_not_depend_on_how_a_pair_shares_its_scale():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(6, 5)).astype(np.float32)
    scale = np.array([100, 0.01, 1, 10, 0.1], np.float32)
    plain, scaled = drop_columns(first, second, 3), drop_columns(first * scale, second / scale, 3)
    np.testing.assert_allclose(plain[0] @ plain[1].T, scaled[0] @ scaled[1].T, rtol=1e-5)


def test_full_rank_factors_give_the_matrix_back():
    matrix = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)
    first, second = factorise(matrix, 5)
    np.testing.assert_allclose(first @ second.T, matrix, atol=1e-5)
    norms = np.linalg.norm(first, axis=0), np.linalg.norm(second, axis=0)
    np.testing.assert_allclose(*norms, rtol=1e-4)


def test_a_full_matrix_becomes_factors_and_the_table_says_so():
    bundle = random_bundle("fastgrnn", hidden=10)
    table, tensors = factorise_ranks(bundle.manifest.model, bundle.weights, {"U": 4})
    assert (table["rank_w"], table["rank_u"]) == (None, 4)
    assert "U" not in tensors
    assert tensors["U1"].shape == tensors["U2"].shape == (10, 4)
    assert "W" in tensors


@pytest.mark.parametrize("rank", [0, 7])
def test_ranks_beyond_the_matrix_are_refused(rank):
    bundle = random_bundle("fastgrnn", hidden=10, channels=6)
    with pytest.raises(UsageError, match=f"rank_w {rank} for a matrix W of rank 6"):
        factorise_ranks(bundle.manifest.model, bundle.weights, {"W": rank})


def test_a_full_matrix_has_no_columns_to_drop():
    bundle = random_bundle("fastgrnn")
    with pytest.raises(UsageError, match="full matrix") as refused:
        prune_ranks(bundle.manifest.model, bundle.weights, {"U": 3})
    assert "--factor-u" in refused.value.hint
