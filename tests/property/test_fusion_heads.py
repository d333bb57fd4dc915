"""What one sensor sends never reaches the head of another: in no runtime, and not in integers."""

from __future__ import annotations

import numpy as np
import pytest
from factories import conv, random_bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from quantised import quantised

from edgehar.bundle import Bundle
from edgehar.runtimes import make_runtime

LABELS = 3
# The sensors' kernels as one dense convolution with zeros, as where their channels differ in number.
DENSE = [conv("stem", 8, 5, 2), conv("mix", 8, 3, 1, 2), {"op": "mean"}, {"op": "linear", "name": "fc"}]


def dense() -> Bundle:
    """A stem that is no grouped convolution: 2 inputs of the first sensor, 4 of the second."""
    bundle = random_bundle("fusion", classes=LABELS, layers=DENSE, sensor=[0, 0, 1, 1, 1, 1])
    bundle.weights["stem.w"][:4, 2:] = 0
    bundle.weights["stem.w"][4:, :2] = 0
    return bundle


FLOAT = random_bundle("fusion", classes=LABELS, hidden=7)
BUNDLES = {"grouped": FLOAT, "dense": dense(), "int8": quantised(FLOAT, "int8"), "int8x16": quantised(FLOAT)}


@pytest.mark.parametrize("runtime", ["reference", "numba"])
@pytest.mark.parametrize("case", BUNDLES)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1), st.sampled_from([0.0, 1.0, 1e3, 1e6]), st.integers(0, 2**32 - 1))
def test_a_lone_head_is_deaf_to_the_others(case: str, runtime: str, lost: int, size: float, seed: int) -> None:
    bundle = BUNDLES[case]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((bundle.manifest.window + bundle.manifest.hop, 6)).astype(np.float32)
    changed = x.copy()
    columns = [i for i, sensor in enumerate(bundle.manifest.model["sensor"]) if sensor == lost]
    changed[:, columns] = size * rng.standard_normal((len(x), len(columns)))
    (_, before), (_, after) = (make_runtime(runtime, bundle).push(samples) for samples in (x, changed))
    other = slice((2 - lost) * LABELS, (3 - lost) * LABELS)
    assert len(before) == 2
    assert before[:, other].tobytes() == after[:, other].tobytes()
    if size <= 1:
        assert (before[:, :LABELS] != after[:, :LABELS]).any()
