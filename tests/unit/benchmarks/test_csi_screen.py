"""Trials of CSI recipes read and build, and never see the people or the session that are kept away."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def screen(monkeypatch):
    """benchmarks/csi_screen.py and its siblings, importable as they are when it runs."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import csi_screen

    yield csi_screen
    for name in ("csi_screen", "accuracy", "jobs", "rows", "tasks"):
        sys.modules.pop(name, None)


def test_every_trial_reads_and_its_model_builds(screen):
    from edgehar.models import make_model

    trials = screen.load_trials(BENCHMARKS / "csi_trials.toml")
    assert {"fition6.base", "tvat7.base"} <= set(trials)
    for trial in trials.values():
        plan = trial.plan
        make_model(plan.model, channels=27, classes=6, window=plan.task.window, seed=0, **plan.settings.options)
    assert len({trial.plan.key(0) for trial in trials.values()}) == len(trials), "two trials are the same"


@pytest.mark.parametrize(("name", "left_out", "away"), [("fition6.base", 3, "4"), ("tvat7.base", 5, "-6")])
def test_what_is_kept_away_is_neither_trained_on_nor_tested(screen, name, left_out, away):
    trial = screen.load_trials(BENCHMARKS / "csi_trials.toml")[name]
    folds = list(screen.folds(trial.plan, trial.untouched, seed=0))
    assert len(folds) == left_out
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert not [group for group in (*fold.train, *fold.test) if group.endswith(away)]
    assert len({fold.test for fold in folds}) == left_out


def test_the_table_has_the_measured_trials_in_the_order_of_the_file(screen, monkeypatch, tmp_path):
    trials = screen.load_trials(BENCHMARKS / "csi_trials.toml")
    monkeypatch.setattr(screen, "ROWS", tmp_path / "csi_screen.jsonl")
    assert len(screen.table(trials)) == 2
    extras = {"folds": [1.0, 2.0, 3.0]}
    names = list(trials)[:2]
    screen.merge_rows(
        screen.ROWS, [screen.Row(trials[name].id, 2.0, "%", 0.5, 6, "", extras=extras) for name in reversed(names)]
    )
    assert [line.split("`")[1] for line in screen.table(trials)[2:]] == names
    assert screen.table(trials)[2].endswith("| 2.0 | 1.0, 2.0, 3.0 |")
