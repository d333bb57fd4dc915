"""The quantisation step on trained toy bundles: what it promises of people, provenance, golden data and accuracy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgehar.bundle import open_bundle, save_bundle
from edgehar.compress.calibration import choose, neuron_gains, percentiles_of
from edgehar.compress.data import Data
from edgehar.compress.measure import logits_of
from edgehar.compress.quantise import Quantise
from edgehar.compress.steps import Context, Prune, compress
from edgehar.errors import InputError, UsageError
from edgehar.graph.equalise import scalable
from edgehar.graph.execute import trace
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes import make_runtime
from edgehar.runtimes.digests import changed
from edgehar.runtimes.golden import check_golden
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.runtimes.stages import BUDGET, stages, stages_of

torch.set_num_threads(1)
FAMILIES = ["cnn", "fastgrnn", "l2mu"]


@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_quantised_bundle_opens_verifies_and_says_as_much_as_the_float_one(
    family, scheme, toy_bundle, toy_dataset, tmp_path
):
    bundle = toy_bundle(family)
    small, (report,) = compress(bundle, toy_dataset, [Quantise(scheme)])
    save_bundle(small, tmp_path / "small.edgehar")
    opened = open_bundle(tmp_path / "small.edgehar")
    for runtime in ("reference", "numba"):
        assert check_golden(opened, "small", runtime)["max_error"] == 0
    assert changed(opened) == ()
    assert opened.manifest.quant["scheme"] == scheme
    assert report.step == "quantise"
    assert opened.manifest.provenance["compression"][-1]["parameters"]["scheme"] == scheme
    assert opened.manifest.preprocess == bundle.manifest.preprocess
    assert all(np.array_equal(w, opened.weights[name]) for name, w in bundle.weights.items())
    agree = opened.golden["logits"].argmax(axis=1) == bundle.golden["logits"].argmax(axis=1)
    assert agree.mean() > (0.85 if family == "l2mu" else 0.93)


def test_what_is_measured_is_what_the_board_computes(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    data = Data.of(bundle, toy_dataset)
    small, (report,) = compress(bundle, data, [Quantise()])
    runtime = make_runtime("numba", small)
    x = data.normaliser(data.test.x)
    logits = np.stack([runtime.window(window) for window in x])
    np.testing.assert_array_equal(logits, logits_of(small, x))
    assert report.after["accuracy"] == pytest.approx(100 * (logits.argmax(axis=1) == data.test.y).mean(), abs=1e-3)


def test_only_training_people_decide_the_ranges(toy_bundle, toy_dataset):
    bundle = toy_bundle("cnn")
    data = Data.of(bundle, toy_dataset)
    shaken = replace(data.test, x=100 * data.test.x)
    one, other = (
        compress(bundle, d, [Quantise(calibration="minmax")])[0].manifest.quant
        for d in (data, replace(data, test=shaken))
    )
    assert one == other
    train = replace(data.train, x=2 * data.train.x)
    assert compress(bundle, replace(data, train=train), [Quantise(calibration="minmax")])[0].manifest.quant != one


def test_the_ranges_are_those_of_preprocessed_windows(toy_bundle, toy_dataset):
    bundle = toy_bundle("cnn")
    data = Data.of(bundle, toy_dataset)
    quant = compress(bundle, data, [Quantise(calibration="minmax", windows=10**6)])[0].manifest.quant
    seen = data.normaliser(data.train.x)
    assert quant["ranges"]["x"] == pytest.approx([seen.min(), seen.max()])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_golden_windows_tensors_travel_as_integers(family, toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle(family), toy_dataset, [Quantise("int8x16")])
    graph = int_graph_of(small)
    told = stages_of(small.golden)
    found = trace(run_int_graph, graph, small.golden["x"][0])
    assert set(told) == set(graph.sizes) - {state.name for state in graph.states}
    for name, rows in told.items():
        assert rows.dtype == graph.quants[name].dtype
        np.testing.assert_array_equal(rows, found[name])
    assert sum(rows.nbytes for rows in told.values()) <= BUDGET


def test_a_large_models_stages_are_its_first_samples(toy_bundle, toy_dataset, monkeypatch):
    small, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Quantise()])
    graph, x = int_graph_of(small), small.golden["x"][0]
    whole = stages(graph, x)
    monkeypatch.setattr("edgehar.runtimes.stages.BUDGET", 900)
    cut = stages(graph, x)
    assert sum(rows.nbytes for rows in cut.values()) <= 900
    for name, rows in cut.items():
        np.testing.assert_array_equal(rows, whole[name][: len(rows)])
    assert 1 < len(cut["stage.h_next"]) < graph.window


def test_search_takes_what_is_nearest_to_the_float_model(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    data = Data.of(bundle, toy_dataset)
    graph, x = graph_of(bundle), data.normaliser(data.train.x)[:200]
    x[3, 5, 1] = 50 * np.abs(x).max()  # one bad sample takes the whole range
    each = {
        how: choose(graph, x, "int8", how, "conv").rmse for how in ("minmax", "percentile:99.99", "percentile:99.9")
    }
    found = choose(graph, x, "int8", "search", "conv")
    assert found.rmse == min(each.values()) < each["minmax"]
    assert "percentile" in found.quant["calibration"]
    assert f"{len(x)} windows" in found.quant["calibration"]


def test_gains_bring_a_populations_neurons_to_one_reach(toy_bundle, toy_dataset):
    bundle = toy_bundle("l2mu")
    x = Data.of(bundle, toy_dataset).normaliser(Data.of(bundle, toy_dataset).train.x)[:64]
    graph = graph_of(bundle)
    gains = neuron_gains(graph, x, scalable(graph))
    assert set(gains) == {"drive_enc0", "drive_u", "drive_m", "drive_h"}
    quant = choose(graph, x, "int8", "search", "conv").quant
    assert quant["gains"] == gains
    assert all(-3 <= low <= high <= 3 for name, (low, high) in quant["ranges"].items() if name.startswith("U_h"))


def test_float_steps_come_before_integers(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    small, reports = compress(bundle, toy_dataset, [Prune(0.5), Quantise()], epochs=1)
    assert [report.step for report in reports] == ["prune", "quantise"]
    data = Data.of(bundle, toy_dataset)
    for step in (Quantise(), Prune(0.5)):
        with pytest.raises(UsageError, match="quantised"):
            step.apply(Context(small, data))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"scheme": "int4"}, "int4"),
        ({"per_channel": "rows"}, "rows"),
        ({"calibration": "entropy"}, "entropy"),
        ({"calibration": "percentile:lots"}, "percentile:lots"),
        ({"calibration": "minmax:3"}, "minmax:3"),
        ({"windows": 0}, "0"),
    ],
)
def test_settings_with_a_typing_error_are_refused_by_name(settings, named):
    with pytest.raises(UsageError, match=named):
        Quantise(**settings)


@pytest.mark.parametrize("family", ["cnn", "fastgrnn", "l2mu"])
def test_calibration_windows_that_do_not_fit_are_refused(family, toy_bundle):
    bundle = toy_bundle(family)
    graph, x = graph_of(bundle), bundle.golden["x"][:8]
    gap = x.copy()
    gap[5, 7, 1] = np.nan
    for wrong, told in (
        (x[:, :, :2], r"shape \[8, 48, 2\]"),
        (x[:, :20], r"shape \[8, 20,"),
        (x[0], "shape"),
        (x[:0], r"shape \[0,"),
        (gap, "window 5 holds nan at sample 7, channel 1"),
    ):
        with pytest.raises(InputError, match=told):
            choose(graph, wrong, "int8", "search", "conv")


@pytest.mark.parametrize("percentile", ["30", "100.5", "nan", "-1"])
def test_a_percentile_out_of_range_is_refused_before_anything_is_trained(percentile):
    with pytest.raises(UsageError, match=f"percentile:{percentile}") as caught:
        Quantise(calibration=f"percentile:{percentile}")
    assert "above 50, up to 100" in caught.value.hint


def test_percentiles_of_a_calibration():
    assert percentiles_of("minmax") == (100.0,)
    assert percentiles_of("percentile:99.99") == (99.99,)
    assert percentiles_of("search")[0] == 100.0


def test_windows_with_a_gap_are_refused_by_their_place(toy_bundle, toy_dataset):
    bundle = toy_bundle("cnn")
    data = Data.of(bundle, toy_dataset)
    x = data.train.x.copy()
    x[0, 7, 2] = np.nan
    with pytest.raises(InputError, match="window 0 holds nan at sample 7, channel 2"):
        compress(bundle, replace(data, train=replace(data.train, x=x)), [Quantise()])
