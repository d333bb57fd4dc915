"""Decisions that the raw stream turns: none where nothing was rounded, and the margin of each that it does."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle
from toys import write_toy_dataset

from edgehar.datasets.windows import cut

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def near_ties(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import near_ties

    yield near_ties
    for name in ("near_ties", "jobs", "rows", "tasks"):
        sys.modules.pop(name, None)


def test_only_changed_windows_differ_and_their_margin_is_told(near_ties, tmp_path):
    made = write_toy_dataset(tmp_path / "toy", people=2, window=32, hop=16)
    windows = cut(made, window=32, hop=16)
    normalize = {"op": "normalize", "mean": [0.1, 0.0, -0.1], "std": [0.5, 0.6, 0.7]}
    bundle = random_bundle("cnn", channels=3, classes=3, preprocess=[normalize])
    assert near_ties.differences(bundle, made, windows, made) == []

    changed = windows.x.copy()
    changed[5] += 3.0
    changed[11] *= -4.0
    found = near_ties.differences(bundle, made, replace(windows, x=changed), made)
    places = {(windows.recording[i], int(windows.start[i])) for i in (5, 11)}
    assert found
    assert {(one.recording, one.start) for one in found} <= places
    for one in found:
        assert one.published != one.streamed
        assert one.margin > 0


def test_summary_lists_the_widest_margin_first(near_ties):
    ties = [near_ties.Difference("m", "r", start, "a", "b", gap) for start, gap in ((0, 1e-5), (9, 2e-3))]
    told = near_ties.summary(ties)
    assert (told["decisions_differ"], told["largest_margin"]) == (2, 2e-3)
    assert [one["start"] for one in told["differences"]] == [9, 0]
    assert near_ties.summary([]) == {"decisions_differ": 0, "largest_margin": 0.0, "differences": []}
    assert near_ties.margin(np.array([0.5, 3.0, -1.0])) == 2.5
