"""Which weights are pruned: thresholds, budgets, minimum thresholds, blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.compress.blocks import SINGLE, Block, Units, block_zeros, units_of
from edgehar.compress.prune import cubic, masks, redistribute
from edgehar.errors import UsageError


def weights(seed=0, **scales):
    """Tensors of unequal size and scale."""
    rng = np.random.default_rng(seed)
    shapes = {"a": (20, 30), "b": (40, 10, 3), "c": (4, 5)}
    return {n: (scales.get(n, 1.0) * rng.normal(size=s)).astype(np.float32) for n, s in shapes.items()}


def chosen(method, tensors, sparsity, block=SINGLE, family="gru", **options):
    return masks(method, tensors, units_of(tensors, family, block), sparsity, **options)


def zeros(found):
    return sum(int((~mask).sum()) for mask in found.values())


def test_global_uses_one_threshold_for_all_tensors():
    tensors = weights(b=3.0)
    found = chosen("global", tensors, 0.8)
    pruned = np.concatenate([np.abs(tensors[n][~m]) for n, m in found.items()])
    kept = np.concatenate([np.abs(tensors[n][m]) for n, m in found.items()])
    assert pruned.max() < kept.min()
    assert zeros(found) == int(0.8 * 1820)


def test_uniform_prunes_the_same_share_of_every_tensor_by_magnitude():
    tensors = weights(b=100.0)
    for name, mask in chosen("uniform", tensors, 0.75).items():
        assert (~mask).sum() == int(0.75 * mask.size)
        assert np.abs(tensors[name][~mask]).max() < np.abs(tensors[name][mask]).min()


def test_random_depends_on_the_seed_only():
    one, other = weights(0), weights(1)
    first, again, third = (chosen("random", t, 0.6, seed=s) for t, s in ((one, 4), (other, 4), (one, 5)))
    assert all(np.array_equal(first[n], again[n]) for n in first)
    assert any(not np.array_equal(first[n], third[n]) for n in first)
    assert zeros(first) == zeros(third) == int(0.6 * 1820)


def test_zeros_are_pruned_first_so_that_pruning_twice_is_nested():
    tensors = weights()
    once = chosen("global", tensors, 0.5)
    twice = chosen("global", {n: w * once[n] for n, w in tensors.items()}, 0.7)
    assert all((twice[n] <= once[n]).all() for n in once)


def test_a_layer_of_small_weights_collapses_unless_a_minimum_is_kept():
    tensors = weights(c=1e-3)
    assert not chosen("global", tensors, 0.9)["c"].any()
    # 20 weights in every tensor: c, which has no more, stays dense.
    found = chosen("global", tensors, 0.9, min_threshold=1.1)
    assert found["c"].all()
    assert min(mask.sum() for mask in found.values()) >= 20
    assert zeros(found) == int(0.9 * 1820)
    middle = chosen("global", tensors, 0.9, min_threshold=0.5)["c"]
    assert middle.sum() == 9
    assert np.abs(tensors["c"][~middle]).max() < np.abs(tensors["c"][middle]).min()


def test_a_minimum_that_leaves_too_little_to_prune_is_refused():
    with pytest.raises(UsageError, match="1254 of 1820 to prune, 1783 were asked for") as refused:
        chosen("global", weights(), 0.98, min_threshold=15)
    assert "0.689" in refused.value.hint


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 400), min_size=1, max_size=6),
    st.integers(0, 50),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_redistribution_meets_the_budget_and_every_minimum(sizes, least, share, seed):
    rng = np.random.default_rng(seed)
    most = {n: max(0, s - least) for n, s in sizes.items()}
    budget = int(share * sum(most.values()))
    wanted = {n: int(rng.integers(0, s + 1)) for n, s in sizes.items()}
    lost = redistribute(wanted, sizes, least, budget)
    assert sum(lost.values()) == budget
    assert all(0 <= lost[n] <= most[n] for n in sizes)


@pytest.mark.parametrize("block", [Block(4, 1), Block(16, 1), Block(2, 3), Block(7, 4)])
@pytest.mark.parametrize("method", ["global", "uniform", "random"])
def test_whole_blocks_are_pruned_and_the_rest_is_kept(block, method):
    tensors = weights()
    found = chosen(method, tensors, 0.7, block)
    for name, mask in found.items():
        units = Units.of(mask.shape, block)
        for number in range(len(units.size)):
            inside = mask[units.index == number]
            assert inside.all() or not inside.any()
        assert units.size.max() <= block.rows * block.columns
        dead, blocks = block_zeros(tensors[name] * mask, units)
        assert dead == blocks - len({units.index[at] for at in zip(*np.nonzero(mask), strict=True)})
    assert int(0.7 * 1820) - 3 * 64 < zeros(found) <= int(0.7 * 1820)


def test_blocks_lie_along_the_outputs_and_end_with_a_shorter_one():
    units = Units.of((10, 3), Block(4, 1))
    assert units.index[:, 0].tolist() == [units.index[0, 0]] * 4 + [units.index[4, 0]] * 4 + [units.index[8, 0]] * 2
    assert sorted(units.size.tolist()) == [2] * 3 + [4] * 6
    kernel = Units.of((8, 2, 3), Block(4, 1))
    assert (kernel.index[:4] == kernel.index[:1]).all()
    assert len(set(kernel.index[0].ravel())) == 6  # one block per input channel and tap
    # The second factor is applied transposed: its columns are outputs.
    second = units_of({"W2": np.zeros((3, 10), np.float32)}, "fastgrnn", Block(4, 1))["W2"]
    np.testing.assert_array_equal(second.index, units.index.T)


def test_blocks_are_ranked_by_their_energy_not_by_their_size():
    tensor = np.array([[1.0], [1.0], [1.0], [1.0], [1.5]], np.float32)
    keep = chosen("global", {"a": tensor}, 0.8, Block(4, 1))["a"]
    assert keep[:, 0].tolist() == [False] * 4 + [True]


def test_cubic_schedule_rises_fast_and_ends_flat():
    values = [cubic(0.1, 0.9, done) for done in np.linspace(0, 1, 11)]
    assert values[0] == pytest.approx(0.1)
    assert values[-1] == pytest.approx(0.9)
    steps = np.diff(values)
    assert (np.diff(steps) < 0).all()
    assert cubic(0.1, 0.9, 7.0) == 0.9


def test_block_sizes_are_read_and_refused():
    assert str(Block.parse("16x1")) == "16x1"
    for text in ("4", "4x", "0x1", "ax1"):
        with pytest.raises(UsageError, match="block"):
            Block.parse(text)
