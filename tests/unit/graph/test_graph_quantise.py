"""Integer graphs: close to the float ones, the same on every machine, refused where a sum would not fit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle
from test_graph_lower import MODELS

from edgehar.errors import InputError
from edgehar.graph.calibrate import calibrate
from edgehar.graph.execute import run_graph
from edgehar.graph.intexecute import LIMITS, run_int_graph
from edgehar.graph.intops import IntConv, IntGatedUpdate, IntLinear
from edgehar.graph.lower import lower
from edgehar.graph.quantise import quantise, tanh_table
from edgehar.runtimes.lowered import graph_of

SPIKE_FREE = [(family, options) for family, options in MODELS if family != "l2mu"]


def quant_of(graph, x, scheme="int8", per_channel="conv", **more):
    ranges = {name: list(ends) for name, ends in calibrate(graph, x).items()}
    return {"scheme": scheme, "per_channel": per_channel, "calibration": "minmax", "ranges": ranges, **more}


def windows(n=64, channels=6, seed=9):
    return np.random.default_rng(seed).standard_normal((n, 32, channels)).astype(np.float32)


@pytest.mark.parametrize("per_channel", ["none", "conv", "all"])
@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
@pytest.mark.parametrize(("family", "options"), SPIKE_FREE)
def test_integer_logits_are_close_to_the_float_ones(family, options, scheme, per_channel):
    graph = graph_of(random_bundle(family, **options))
    x = windows(channels=graph.inputs)
    expected = run_graph(graph, x)
    found = run_int_graph(quantise(graph, quant_of(graph, x, scheme, per_channel)), x)
    error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    assert error < (0.15 if scheme == "int8" else 0.05), f"relative error of the logits {error:.3f}"


@pytest.mark.parametrize(("family", "options"), SPIKE_FREE)
def test_wider_activations_are_closer(family, options):
    graph = graph_of(random_bundle(family, **options))
    x = windows(channels=graph.inputs)
    errors = []
    for scheme in ("int8", "int8x16"):
        found = run_int_graph(quantise(graph, quant_of(graph, x, scheme, "all")), x)
        errors.append(np.abs(found - run_graph(graph, x)).mean())
    assert errors[1] < errors[0]


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_every_tensor_stays_inside_its_dtype_on_inputs_far_outside_the_calibrated_range(family, options):
    graph = graph_of(random_bundle(family, **options))
    x = windows(8, channels=graph.inputs)
    integers = quantise(graph, quant_of(graph, x))
    seen: dict[str, tuple[int, int]] = {}

    def watch(values):
        for name, v in values.items():
            low, high = seen.get(name, (0, 0))
            seen[name] = min(low, int(v.min())), max(high, int(v.max()))

    run_int_graph(integers, 1000 * windows(4, channels=graph.inputs), watch)
    assert set(seen) == set(integers.sizes)
    for name, (low, high) in seen.items():
        least, most = LIMITS[integers.quants[name].dtype]
        assert least <= low <= high <= most, name


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_the_same_bundle_gives_the_same_integers(family, options):
    graph = graph_of(random_bundle(family, **options))
    quant = quant_of(graph, windows(8, channels=graph.inputs))
    once, again = quantise(graph, quant), quantise(graph, json.loads(json.dumps(quant)))
    assert once.quants == again.quants
    assert list(once.constants()) == list(again.constants())
    for name, constant in once.constants().items():
        np.testing.assert_array_equal(constant.value, again.constants()[name].value)


@pytest.mark.parametrize("family", ["fastgrnn", "gru", "cnn", "l2mu"])
def test_pruned_weights_stay_zero_and_others_fill_int8(family):
    bundle = random_bundle(family)
    matrices = [name for name, w in bundle.weights.items() if w.ndim > 1 and not name.startswith("enc0")]
    weights = {n: np.where(np.abs(w) < 0.2, 0, w).astype(np.float32) for n, w in bundle.weights.items()}
    weights |= {n: w for n, w in bundle.weights.items() if n not in matrices or n in ("A", "B")}
    graph = graph_of(replace(bundle, weights=weights))
    constants = quantise(graph, quant_of(graph, windows(8))).constants()
    for name in set(matrices) - {"A", "B"}:
        value = constants[name].value
        assert value.dtype == np.int8
        assert np.abs(value.astype(int)).max() == 127
        assert not value[weights[name] == 0].any()


def test_a_state_means_the_same_before_and_after_a_sample():
    for family in ("fastgrnn", "gru", "l2mu"):
        graph = graph_of(random_bundle(family, **({"neuron": "synaptic"} if family == "l2mu" else {})))
        quants = quantise(graph, quant_of(graph, windows(8))).quants
        for state in graph.states:
            assert quants[state.name] == quants[state.next], state.name


def test_a_state_beyond_one_gets_a_unit_that_holds_it():
    bundle = random_bundle("fastgrnn")
    weights = {**bundle.weights, "zeta": np.array([0.99], np.float32), "nu": np.array([0.3], np.float32)}
    graph = graph_of(replace(bundle, weights=weights))
    x = windows(32)
    quant = quant_of(graph, x)
    reach = max(map(abs, quant["ranges"]["h_next"]))
    assert reach > 1.2
    integers = quantise(graph, quant)
    (op,) = (op for op in integers.step if isinstance(op, IntGatedUpdate))
    assert op.unit <= 127 / reach
    error = run_int_graph(integers, x) - run_graph(graph, x)
    assert np.sqrt(np.mean(error**2)) < 0.2 * run_graph(graph, x).std()


@pytest.mark.parametrize("family", ["fastgrnn", "gru", "cnn", "l2mu"])
def test_a_missing_range_is_named(family):
    graph = graph_of(random_bundle(family))
    quant = quant_of(graph, windows(8))
    refusals = {}
    for name in quant["ranges"]:
        try:
            quantise(graph, {**quant, "ranges": {n: ends for n, ends in quant["ranges"].items() if n != name}})
        except InputError as error:
            refusals[name] = error
    assert len(refusals) >= 2
    assert all(f"'{name}'" in str(error) and "edgehar compress" in error.hint for name, error in refusals.items())


@pytest.mark.parametrize(("population", "drive"), [("U_m", "drive_m"), ("U_enc0", "drive_enc0")])
def test_a_drive_beyond_its_population_by_far_is_refused_by_name(population, drive):
    graph = graph_of(random_bundle("l2mu"))
    quant = quant_of(graph, windows(8))
    ranges = {**quant["ranges"], population: [0.0, 1e-7], f"{population}_next": [0.0, 1e-7]}
    with pytest.raises(InputError, match=f"'{drive}' can reach .* beyond 30 bits"):
        quantise(graph, {**quant, "ranges": ranges})


def test_a_population_that_was_silent_in_calibration_keeps_its_sums_in_32_bits():
    bundle = random_bundle("l2mu")
    silent = {name: 0 * w if name in ("E_x", "E_h", "E_m") else w for name, w in bundle.weights.items()}
    graph = graph_of(replace(bundle, weights=silent))
    quant = quant_of(graph, windows(8))
    assert quant["ranges"]["U_m"] == [0.0, 0.0]
    integers = quantise(graph, quant)
    found = run_int_graph(integers, windows(8))
    assert np.isfinite(found).all()
    threshold = float(bundle.weights["thr_m"].max())
    assert integers.quants["U_m"].scale == pytest.approx(1.5 * threshold / 127)


def test_the_bias_counts_among_the_sums_of_the_logits():
    hidden = 500  # 500 weights of 127 times 32768 take 31 bits all but 3 %
    bundle = random_bundle("fastgrnn", hidden=hidden)
    weights = {**bundle.weights, "fc_w": np.ones((4, hidden), np.float32), "fc_b": np.zeros(4, np.float32)}
    graph = graph_of(replace(bundle, weights=weights))
    quant = quant_of(graph, windows(4), "int8x16")
    quantise(graph, quant)
    heavy = graph_of(replace(bundle, weights={**weights, "fc_b": np.full(4, 60, np.float32)}))
    with pytest.raises(InputError, match=r"'logits' can reach .* beyond 32 bits"):
        quantise(heavy, quant)


def test_a_layer_too_large_for_32_bits_is_refused_by_name():
    hidden = 700
    model = {"family": "gru", "inputs": 2, "classes": 2, "hidden": hidden}
    weights = {
        "w_ih": np.ones((3 * hidden, 2), np.float32),
        "w_hh": np.ones((3 * hidden, hidden), np.float32),
        "b_ih": np.zeros(3 * hidden, np.float32),
        "b_hh": np.zeros(3 * hidden, np.float32),
        "fc_w": np.ones((2, hidden), np.float32),
        "fc_b": np.zeros(2, np.float32),
    }
    graph = lower(model, weights, window=4, hop=4)
    ranges = {name: [-1.0, 1.0] for name in graph.sizes}
    quant = {"scheme": "int8", "per_channel": "none", "calibration": "", "ranges": ranges}
    quantise(graph, quant)
    for reach in (1.0, 32767.0):  # the second gives the state the scale 1, which spikes have, too
        ranges = {name: [-reach, reach] for name in graph.sizes}
        with pytest.raises(InputError, match=r"'w_hh'.*beyond 32 bits"):
            quantise(graph, {**quant, "scheme": "int8x16", "ranges": ranges})


def test_a_drive_too_large_for_32_bits_is_refused_by_name():
    bundle = random_bundle("l2mu", encoder="plain")
    weights = {**bundle.weights, "W_h": bundle.weights["W_h"] * 1e6}
    graph = graph_of(bundle)
    quant = quant_of(graph, windows(8), "int8x16")
    with pytest.raises(InputError, match="'drive_h'"):
        quantise(graph_of(replace(bundle, weights=weights)), quant)


def test_scales_per_output_belong_to_those_who_ask_for_them():
    cnn, gru = graph_of(random_bundle("cnn")), graph_of(random_bundle("gru"))

    def sizes(graph, per_channel):
        integers = quantise(graph, quant_of(graph, windows(8), per_channel=per_channel))
        ops = [op for op in integers.step if isinstance(op, IntConv)]
        ops += [term for op in integers.step if isinstance(op, IntLinear) for term in op.terms]
        return {op.multiplier.value.size == 1 for op in ops}

    assert sizes(cnn, "none") == sizes(gru, "none") == sizes(gru, "conv") == {True}
    assert sizes(cnn, "conv") == sizes(gru, "all") == {False}


def test_a_silent_tensor_still_gets_a_scale():
    bundle = random_bundle("gru")
    zero = {name: np.zeros_like(w) for name, w in bundle.weights.items()}
    graph = graph_of(replace(bundle, weights=zero))
    found = run_int_graph(quantise(graph, quant_of(graph, windows(8))), windows(3))
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("layer", ["stem", "body1", "body2"])
def test_a_layer_that_lost_all_its_weights_still_runs(layer):
    bundle = random_bundle("cnn")
    weights = {**bundle.weights, f"{layer}.w": np.zeros_like(bundle.weights[f"{layer}.w"])}
    weights |= {f"{layer}.b": np.zeros_like(bundle.weights[f"{layer}.b"])} if layer == "stem" else {}
    graph, x = graph_of(replace(bundle, weights=weights)), windows()
    integers = quantise(graph, quant_of(graph, x))
    assert all(abs(op.offset) < 1 << 62 for op in integers.step)
    expected = run_graph(graph, x)
    assert np.abs(run_int_graph(integers, x) - expected).max() < 0.05 * max(1.0, float(np.abs(expected).max()))


def test_the_table_of_tanh():
    table = tanh_table().value
    assert table.dtype == np.int16
    assert len(table) == 129
    np.testing.assert_array_equal(table, np.rint(32768 * np.tanh(np.arange(129) / 32)).clip(max=32767))
