"""Every committed row can be read and built; figures are put together as the rows say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
SENSORS = {"uci_har6": 3, "har2": 3, "wisdm7_mixed": 2, "wisdm7_subject": 2, "motionsense6": 3, "dsads19": 10}
CARRIERS = {"fition6_person": 27, "fition6_room": 27, "fition2_motion": 27, "fition2_fall": 27}
CARRIERS |= {"tvat7_session": 52, "tvat2_motion": 52, "uabc4_crossdate": 52}


@pytest.fixture
def accuracy(monkeypatch):
    """benchmarks/accuracy.py and its siblings, importable as they are when it runs."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # the script sets these for its workers; the tests keep their own
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import accuracy

    yield accuracy
    for name in ("accuracy", "jobs", "rows", "tasks"):
        sys.modules.pop(name, None)


def test_every_recipe_reads_and_its_model_builds(accuracy):
    from edgehar.datasets.splits import load_split
    from edgehar.models import make_model
    from edgehar.train.normalise import inputs_seen

    assert accuracy.known_rows()
    for name in accuracy.known_rows():
        plan = accuracy.load_plan(name)
        assert len(plan.seeds) >= 3, name
        assert plan.model in name.split("."), name
        for seed in plan.seeds:
            assert load_split(BENCHMARKS / "splits" / plan.task.split_file(seed)).folds
        if plan.model != "rf":
            task = plan.task.name
            axes = [f"{sensor}_{axis}" for sensor in range(SENSORS.get(task, 0)) for axis in "xyz"]
            channels = [*axes, *(f"sc{number:+d}.amp" for number in range(CARRIERS.get(task, 0)))]
            inputs = inputs_seen(channels, plan.settings.recipe)
            options = plan.settings.options
            make_model(plan.model, channels=inputs, classes=6, window=plan.task.window, seed=0, **options)


def test_the_cache_key_follows_the_work_and_nothing_else(accuracy):
    from dataclasses import replace

    plan = accuracy.load_plan("acc.uci_har6.gru")
    key = plan.key(0)
    assert replace(plan, id="other", note="x", seeds=(7,)).key(0) == key
    for change in ("recipe.lr=0.5", "options.hidden=3", "recipe.augment.scale=0.5"):
        assert accuracy.changed(plan, [change]).key(0) != key
    assert replace(plan, task=replace(plan.task, hop=7)).key(0) != key


def result(fold, seed, value):
    return {"fold": fold, "seed": seed, "seconds": 10.0, "test": {"macro_f1": value - 1}, "rates": {"m": value / 100}}


def test_spread_over_seeds_and_folds(accuracy):
    results = [result(f, s, 90 + 4 * f + s) for s in (0, 1) for f in (0, 1)]
    summary = accuracy.summarise(results, [90.0, 94.0, 91.0, 95.0])
    assert summary["accuracy"]["mean"] == 92.5
    assert summary["std_folds"] == pytest.approx(8**0.5, abs=1e-3)
    assert summary["std_seeds"] == pytest.approx(0.5**0.5, abs=1e-3)
    assert summary["macro_f1"] == 91.5
    assert summary["rates"] == {"m": 0.925}
    assert summary["seconds"] == 40


def test_test_selected_row_takes_the_best_epoch_and_is_stamped(accuracy):
    plan = accuracy.load_plan("acc.uci_har6.gru")
    from dataclasses import replace

    results = [
        {
            **result(0, seed, 90.0),
            "stamps": [],
            "probe": [{"accuracy": 0.8}, {"accuracy": 0.93}, {"accuracy": 0.9}],
            "bundle_sha256": "ab",
        }
        for seed in (0, 1)
    ]
    for one in results:
        one["test"]["accuracy"] = 90.0
    honest, selected = accuracy.rows_of(replace(plan, test_selected=True), results)
    assert (honest.id, honest.value, honest.extras["stamps"]) == ("acc.uci_har6.gru", 90.0, [])
    assert (selected.id, selected.value) == ("acc.uci_har6.gru.test_selected", 93.0)
    assert selected.extras["stamps"] == ["TEST-SELECTED"]
    assert "macro_f1" not in selected.extras
