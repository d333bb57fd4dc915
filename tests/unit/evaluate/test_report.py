"""The report shows the forest, the winner and the stamps."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.errors import InputError
from edgehar.evaluate.metrics import summarise
from edgehar.evaluate.report import compare, per_class, plot_confusion, plot_training


def figures(accuracy):
    value = {"mean": accuracy, "std": 0.5, "n": 3}
    return {"accuracy": value, "macro_f1": value, "subject_spread": {**value, "worst": accuracy - 9}}


@pytest.mark.parametrize(("network", "ahead"), [(90.0, "the random forest is ahead by 2.25 points"), (95.0, None)])
def test_forest_and_stamps_are_shown(network, ahead):
    shown = compare({"model": "gru", "stamps": ["LEAKY"], **figures(network), "forest": figures(92.25)})
    assert "random forest  92.25 +- 0.50" in shown
    assert "stamps: LEAKY" in shown
    assert ("ahead" in shown) == (ahead is not None)
    assert ahead is None or ahead in shown


def test_one_run_has_no_spread():
    alone = {key: {**value, "n": 1} for key, value in figures(90.0).items()}
    assert "+-" not in compare({"model": "gru", "stamps": [], **alone, "forest": alone})


def test_plots_and_classes(tmp_path):
    pytest.importorskip("matplotlib")
    table = summarise(np.array([0, 0, 1]), np.array([0, 1, 1]), ("sit", "stand"))
    assert "sit          2        100.0      50.0  66.7" in per_class(table)
    plot_confusion(table, tmp_path / "a.png", title="t")
    with pytest.raises(InputError, match="cannot be written"):
        plot_confusion(table, tmp_path / "a.nosuch", title="t")
    history = [{"loss": 1.0, "validation": 0.5}, {"loss": 0.5, "validation": 0.7}]
    plot_training([{"history": history}], tmp_path / "b.png", title="t")
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("a.png", "b.png"))
