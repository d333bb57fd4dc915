"""Lone FastGRNN states, and decisions that do not wait for the other lanes."""

from itertools import pairwise

import numpy as np
import pytest
from factories import random_bundle

from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernels.fastgrnn import FastGRNNEngine, advance, advance_alone
from edgehar.runtimes.kernels.simd import host_simd

SIZE = {"window": 24, "channels": 5, "classes": 4}


@pytest.mark.parametrize("hidden", [1, 16, 80, 113])
@pytest.mark.parametrize("hop", [24, 31])
def test_lone_states_give_the_references_logits(hidden: int, hop: int) -> None:
    bundle = random_bundle("fastgrnn", hop=hop, hidden=hidden, golden_windows=4, **SIZE)
    numba, reference = make_runtime("numba", bundle), make_runtime("reference", bundle)
    x = bundle.golden["x"].reshape(-1, SIZE["channels"]).astype(np.float32)
    for first, last in ((0, 7), (7, 8), (8, 60), (60, len(x))):
        ends, logits = numba.push(x[first:last])
        wanted_ends, wanted = reference.push(x[first:last])
        assert ends.tolist() == wanted_ends.tolist()
        assert logits == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "alone"), [({}, True), ({"rank_u": 3}, False), ({"rank_w": 2}, False)], ids=["full", "low U", "low W"]
)
def test_only_full_matrices_are_stepped_alone(model: dict[str, int], alone: bool) -> None:
    bundle = random_bundle("fastgrnn", hop=24, hidden=16, golden_windows=1, **SIZE, **model)
    packed = FastGRNNEngine.pack(bundle.manifest, bundle.weights)
    known = host_simd().sums > 0
    assert FastGRNNEngine(packed, bundle.manifest, 24).kernel is (advance_alone if alone and known else advance)
    assert FastGRNNEngine(packed, bundle.manifest, 6).kernel is advance


@pytest.mark.parametrize("hop", [1, 5, 6, 8, 23])
def test_samples_that_come_alone_give_the_bits_of_a_burst(hop: int) -> None:
    """A deciding sample that comes alone advances its own lane; the others follow, whatever comes next."""
    bundle = random_bundle("fastgrnn", hop=hop, hidden=33, golden_windows=5, **SIZE)
    x = bundle.golden["x"].reshape(-1, SIZE["channels"]).astype(np.float32)
    burst, single = make_runtime("numba", bundle), make_runtime("numba", bundle)
    wanted_ends, wanted = burst.push(x)
    cuts = [*range(60), 67, 68, 71, *range(72, len(x) + 1)]
    pushed = [single.push(x[a:b]) for a, b in pairwise(cuts)]
    assert np.concatenate([ends for ends, _ in pushed]).tolist() == wanted_ends.tolist()
    assert np.array_equal(np.concatenate([logits for _, logits in pushed]), wanted)


def test_a_reset_forgets_the_lanes_that_were_late() -> None:
    bundle = random_bundle("fastgrnn", hop=6, hidden=16, golden_windows=2, **SIZE)
    x = bundle.golden["x"].reshape(-1, SIZE["channels"]).astype(np.float32)
    fresh, used = make_runtime("numba", bundle), make_runtime("numba", bundle)
    used.push(x[:23])
    assert len(used.push(x[23:24])[0]) == 1
    used.reset()
    assert np.array_equal(used.push(x)[1], fresh.push(x)[1])
