"""Any window, hop, size and chunking: a stream gives the numbers of the whole windows, and the same bits each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factories import cnn_layers, conv, dscnn_layers, random_bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from edgehar.bundle import Bundle
from edgehar.runtimes import make_runtime

HIDDEN = st.sampled_from([1, 8, 16, 37, 61])
RECURRENT = {
    "fastgrnn": [{}, {"rank_w": 2, "rank_u": 5}],
    "gru": [{}],
    "l2mu": [{}, {"encoder": "plain", "neuron": "synaptic"}, {"encoder": "single", "readout": "count"}],
}
TAIL: list[dict[str, Any]] = [{"op": "mean"}, {"op": "linear", "name": "fc"}]


@st.composite
def recurrent(draw: st.DrawFn, family: str) -> Bundle:
    options = draw(st.sampled_from(RECURRENT[family]))
    window, hop = draw(st.integers(1, 40)), draw(st.integers(1, 50))
    return random_bundle(
        family, window=window, hop=hop, channels=draw(st.integers(1, 7)), classes=draw(st.integers(1, 6)),
        hidden=draw(HIDDEN), seed=draw(st.integers(0, 9)), golden_windows=1, **options,
    )  # fmt: skip


@st.composite
def convolutional(draw: st.DrawFn) -> Bundle:
    width = draw(st.sampled_from([4, 8, 13]))
    stride = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 2, 4]))
    strided = [conv("a", 8, draw(st.integers(1, 4)), stride), conv("b", 4, 2, 1, groups), *TAIL]
    layers, total = draw(st.sampled_from([(cnn_layers(width), 2), (dscnn_layers(width), 4), (strided, stride)]))
    hop = total * draw(st.integers(1, 9))
    return random_bundle(
        "cnn", window=draw(st.integers(20, 40)), hop=hop, channels=draw(st.integers(1, 6)), layers=layers,
        seed=draw(st.integers(0, 9)), golden_windows=1,
    )  # fmt: skip


def check(bundle: Bundle, runtime: str, cuts: list[int], *, spiking: bool = False) -> None:
    m = bundle.manifest
    samples = m.window + 4 * m.hop + 3
    x = np.random.default_rng(1).standard_normal((samples, m.model["inputs"])).astype(np.float32)
    engine = make_runtime(runtime, bundle)
    ends, logits = engine.push(x)
    assert ends.tolist() == list(range(m.window, samples + 1, m.hop))
    whole = np.stack([engine.window(x[end - m.window : end]) for end in ends])
    if spiking:  # every lane's arithmetic is that of a whole window, in the same order
        assert logits.tobytes() == whole.tobytes()
    else:
        assert np.abs(logits - whole).max() <= 1e-5 * max(1.0, float(np.abs(whole).max()))
    engine.reset()
    parts = [engine.push(chunk) for chunk in np.split(x, sorted(c % (samples + 1) for c in cuts))]
    assert np.concatenate([e for e, _ in parts]).tolist() == ends.tolist()
    assert np.concatenate([scores for _, scores in parts]).tobytes() == logits.tobytes()


CUTS = st.lists(st.integers(0, 1000), max_size=6)


@pytest.mark.parametrize("runtime", ["numba", "reference"])
@pytest.mark.parametrize("family", RECURRENT)
def test_recurrent_streams_equal_their_windows(family: str, runtime: str) -> None:
    @settings(max_examples=25 if runtime == "numba" else 6, deadline=None, derandomize=True, database=None)
    @given(bundle=recurrent(family), cuts=CUTS)
    def run(bundle: Bundle, cuts: list[int]) -> None:
        check(bundle, runtime, cuts, spiking=family == "l2mu")

    run()


@pytest.mark.parametrize("runtime", ["numba", "reference"])
def test_convolutional_streams_equal_their_windows(runtime: str) -> None:
    @settings(max_examples=30 if runtime == "numba" else 12, deadline=None, derandomize=True, database=None)
    @given(bundle=convolutional(), cuts=CUTS)
    def run(bundle: Bundle, cuts: list[int]) -> None:
        check(bundle, runtime, cuts)

    run()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(window=st.integers(1, 30), hop=st.integers(1, 40))
def test_lanes_hold_one_window_at_a_time_from_its_first_to_its_last_sample(window: int, hop: int) -> None:
    from edgehar.runtimes.lanes import Lanes

    lanes = Lanes(window, hop)
    held: dict[int, list[int]] = {}
    finished = []
    for t in range(window + 5 * hop):
        plan = lanes.plan(t)
        assert (plan.fresh is not None) == (t % hop == 0)
        if plan.fresh is not None:
            held[plan.fresh] = []
        assert len(set(plan.active)) == len(plan.active) <= lanes.count
        for lane in plan.active:
            held[lane].append(t)
        if plan.done is not None:
            finished.append(held[plan.done])
    starts = range(0, 5 * hop + 1, hop)
    assert finished == [list(range(s, s + window)) for s in starts if s + window <= window + 5 * hop]
