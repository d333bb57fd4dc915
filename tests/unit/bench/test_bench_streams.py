"""The benchmark of many streams counts what went in and what came out, and says what it ran on."""

from __future__ import annotations

import json

from factories import random_bundle

from edgehar.bench.streams import measure_streams


def test_every_sample_and_decision_is_counted() -> None:
    bundle = random_bundle("fastgrnn", window=32, hop=16, hidden=7)
    done: list[tuple[int, int]] = []
    told = measure_streams(bundle, 1030, 1.28, burst=16, report=lambda *turn: done.append(turn))
    assert told.samples == 1030 * 64
    assert told.decisions == told.decided == 1030 * 3
    assert told.stream_s == 1.28
    assert done[-1] == (4, 4)
    assert told.capacity > 0
    shown = json.loads(json.dumps(told.json()))
    assert shown["streams"] == 1030
    assert shown["machine"]["cores"]
