"""A stream's pushes of any length: what it hands out is the caller's, and what it refuses is said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from factories import random_bundle

from edgehar.errors import EdgeHarError
from edgehar.runtimes import make_runtime
from edgehar.runtimes.kernel_stream import ROOM

SAMPLES = np.random.default_rng(5).standard_normal((3 * ROOM, 6)).astype(np.float32)


@pytest.mark.parametrize("length", [16, 48])
def test_logits_stay_as_they_were_handed_out(length: int) -> None:
    runtime = make_runtime("numba", random_bundle("cnn"))
    runtime.push(SAMPLES[:32])
    ends, logits = runtime.push(SAMPLES[32 : 32 + length])
    kept = ends.copy(), logits.copy()
    runtime.push(SAMPLES[100 : 100 + length])
    assert ends.tolist() == kept[0].tolist() == list(range(48, 33 + length, 16))
    assert logits.tobytes() == kept[1].tobytes()


def test_lengths_that_change_give_what_one_push_gives() -> None:
    together, parts = (make_runtime("numba", random_bundle("cnn")) for _ in range(2))
    cuts = [0, 1, 17, 18, 34, 34, 40, 40 + ROOM, 41 + ROOM, len(SAMPLES)]
    pushed = [parts.push(SAMPLES[a:b]) for a, b in pairwise(cuts)]
    ends, logits = together.push(SAMPLES)
    assert np.concatenate([e for e, _ in pushed]).tolist() == ends.tolist()
    assert np.concatenate([scores for _, scores in pushed]).tobytes() == logits.tobytes()


@pytest.mark.parametrize("shape", [(16, 5), (16,), (16, 6, 1), (6,)])
def test_samples_of_another_shape_are_refused_after_good_ones_too(shape: tuple[int, ...]) -> None:
    runtime = make_runtime("numba", random_bundle("cnn"))
    runtime.push(SAMPLES[:16])
    with pytest.raises(EdgeHarError, match=r"channels|inputs|samples"):
        runtime.push(np.zeros(shape, np.float32))


@pytest.mark.parametrize("seen_as", [
    lambda x: x.astype(np.float64), np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2],
    lambda x: x.astype(">f4"),
])  # fmt: skip
def test_samples_count_by_their_values_however_they_lie_in_memory(seen_as: Callable[[np.ndarray], np.ndarray]) -> None:
    plain, other = (make_runtime("numba", random_bundle("cnn")) for _ in range(2))
    expected = plain.push(SAMPLES[:48])[1]
    assert other.push(seen_as(SAMPLES[:48]))[1].tobytes() == expected.tobytes()
