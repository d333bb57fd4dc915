"""Many streams in one pipeline: what it takes, what it refuses by name, and what its decisions carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle
from quantised import quantised

from edgehar.errors import ContractError, EdgeHarError, InputError
from edgehar.many.decisions import NO_DATA, NO_LABEL, STATUSES, Decisions
from edgehar.many.pipeline import ManyPipeline
from edgehar.types import Status, StreamSpec

BUNDLE = random_bundle("fastgrnn", window=16, hop=8, hidden=7)
CONTRACT = BUNDLE.manifest.contract
SPEC = StreamSpec(CONTRACT.kind, CONTRACT.channels, CONTRACT.rate_hz, CONTRACT.units)


def push(many: ManyPipeline, stream: int, n: int, first: int = 0, start_ns: int = 0) -> Decisions:
    t = start_ns + (first + np.arange(n)) * 20_000_000
    x = np.random.default_rng(stream).standard_normal((n, 6)).astype(np.float32)
    return many.push(np.full(n, stream), t, t, first + np.arange(n), x)


def test_streams_do_not_touch_each_other() -> None:
    both, one = ManyPipeline(BUNDLE, SPEC, 2), ManyPipeline(BUNDLE, SPEC, 2)
    push(both, 0, 13)
    assert push(both, 1, 40).logits.tobytes() == push(one, 1, 40).logits.tobytes()


def test_a_gap_is_reported_without_a_label() -> None:
    many = ManyPipeline(BUNDLE, SPEC, 1)
    push(many, 0, 20)
    decisions = push(many, 0, 1, 100)
    assert decisions.status.tolist() == [NO_DATA]
    assert decisions.label.tolist() == [NO_LABEL]
    assert np.isnan(decisions.logits).all()
    ((stream, activity),) = decisions.activities()
    assert (stream, activity.status, activity.label, activity.p) == (0, Status.NO_DATA, "", 0.0)


def test_a_stream_that_is_over_begins_anew() -> None:
    many = ManyPipeline(BUNDLE, SPEC, 3)
    first = push(many, 2, 24)
    many.forget([2])
    # An hour earlier by its own clock: a new device on the same number.
    again = push(many, 2, 24, start_ns=-3_600_000_000_000)
    assert again.logits.tobytes() == first.logits.tobytes()
    assert [STATUSES[s] for s in again.status] == [STATUSES[s] for s in first.status]


@pytest.mark.parametrize("stream", [-1, 3])
def test_a_stream_that_is_not_there_cannot_be_over(stream: int) -> None:
    with pytest.raises(InputError, match=f"no stream {stream}: this pipeline holds 0 to 2"):
        ManyPipeline(BUNDLE, SPEC, 3).forget([stream])


def test_the_simulated_mark_reaches_every_activity() -> None:
    many = ManyPipeline(BUNDLE, replace(SPEC, simulated=True), 1)
    activities = [a for _, a in push(many, 0, 40).activities()]
    assert activities
    assert all(a.simulated for a in activities)


def test_no_rows_give_no_decisions() -> None:
    many = ManyPipeline(BUNDLE, SPEC, 1)
    nothing = np.empty(0, np.int64)
    assert len(many.push(nothing, nothing, nothing, nothing, np.empty((0, 6), np.float32))) == 0


def _memory() -> ManyPipeline:
    bundle = random_bundle("fastgrnn", preprocess=[{"op": "concat", "parts": [[{"op": "median3"}]]}], delay_samples=1)
    return ManyPipeline(bundle, SPEC, 1)


def _foreign() -> Decisions:
    return push(ManyPipeline(BUNDLE, SPEC, 4), 4, 1)


def _misshapen() -> Decisions:
    t = np.arange(3)
    return ManyPipeline(BUNDLE, SPEC, 1).push(t * 0, t, t, t, np.zeros((2, 6), np.float32))


@pytest.mark.parametrize(
    ("work", "error", "said"),
    [
        (lambda: ManyPipeline(BUNDLE, SPEC, 0), EdgeHarError, "0 streams"),
        (lambda: ManyPipeline(BUNDLE, replace(SPEC, rate_hz=100.0), 1), ContractError, "rate_hz"),
        (lambda: ManyPipeline(random_bundle("gru"), SPEC, 1), EdgeHarError, "is a gru"),
        (lambda: ManyPipeline(quantised(BUNDLE, "int8"), SPEC, 1), EdgeHarError, "quantised fastgrnn"),
        (_memory, EdgeHarError, "median3"),
        (_foreign, InputError, "stream 4"),
        (_misshapen, InputError, "columns of"),
    ],
)
def test_refusals_say_what_and_what_to_do(work: Callable[[], object], error: type[EdgeHarError], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        work()
    assert raised.value.hint
