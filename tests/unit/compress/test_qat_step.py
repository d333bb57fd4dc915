"""Quantisation-aware training: the network in torch computes what the integers will, and trains towards them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from factories import random_bundle
from quantised import quantised

from edgehar.bundle import open_bundle, save_bundle
from edgehar.cli.app import main
from edgehar.compress.data import Data
from edgehar.compress.fakequant import on_grid, weights_on_grid
from edgehar.compress.graphnet import GraphNet
from edgehar.compress.qat import QAT
from edgehar.compress.quantise import Quantise
from edgehar.compress.steps import Context, Prune, compress
from edgehar.errors import UsageError
from edgehar.graph.execute import run_graph
from edgehar.graph.graph import Quant
from edgehar.runtimes.golden import check_golden
from edgehar.runtimes.intwindows import int_logits
from edgehar.runtimes.lowered import graph_of, int_graph_of

torch.set_num_threads(1)
MODELS = [
    ("fastgrnn", {"hidden": 20}),
    ("fastgrnn", {"hidden": 20, "rank_w": 3, "rank_u": 6}),
    ("gru", {"hidden": 14}),
    ("cnn", {"hidden": 10}),
    ("csieffnet", {"hidden": 8}),
    ("dscnn", {"hidden": 8}),
]


def network(bundle):
    manifest = bundle.manifest
    return GraphNet.restore(manifest.model, bundle.weights, window=manifest.window, quant=manifest.quant)


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.mark.parametrize("per_channel", ["none", "conv", "all"])
@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
@pytest.mark.parametrize(("family", "options"), MODELS)
def test_the_network_is_far_nearer_to_the_integers_than_the_float_model_is(family, options, scheme, per_channel):
    bundle = quantised(random_bundle(family, golden_windows=32, **options), scheme, per_channel)
    x = bundle.golden["x"]
    integers, floats = int_logits(bundle, x), run_graph(graph_of(bundle), x)
    with torch.no_grad():
        found = network(bundle)(torch.from_numpy(x)).numpy()
    assert rmse(found, integers) < 0.5 * rmse(floats, integers)
    assert rmse(found, integers) < 0.04 * integers.std()


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_every_tensor_of_the_bundle_trains_and_comes_back_under_its_name(family, options):
    bundle = quantised(random_bundle(family, golden_windows=32, **options))
    net = network(bundle)
    table, tensors = net.export()
    assert table == bundle.manifest.model
    assert set(tensors) == set(bundle.weights)
    assert all(np.array_equal(tensors[name], w) for name, w in bundle.weights.items())
    net(torch.from_numpy(bundle.golden["x"])).square().mean().backward()
    for name, parameter in net.named_tensors().items():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("per_row", [False, True])
def test_weights_lie_on_the_grid_that_the_quantiser_gives_them(per_row):
    bundle = quantised(random_bundle("gru"), "int8", "all" if per_row else "none")
    graph = int_graph_of(bundle)
    (product,) = (op.terms[0] for op in graph.step if op.out == "from_h")
    w = torch.from_numpy(bundle.weights["w_hh"])
    largest = w.abs().max(dim=1, keepdim=True).values if per_row else w.abs().max()
    integers = (weights_on_grid(w, per_row=per_row) / (largest / 127)).round().numpy()
    np.testing.assert_array_equal(integers, product.w.value)


def test_gradients_pass_where_nothing_saturates():
    x = torch.tensor([-300.0, -2.3, 0.4, 90.0, 200.0], requires_grad=True)
    y = on_grid(x, Quant("int8", 1.0, 10))
    assert y.tolist() == [-138.0, -2.0, 0.0, 90.0, 117.0]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_what_stays_in_32_bits_is_left_alone():
    x = torch.randn(5)
    assert on_grid(x, Quant("int32", 0.5)) is x


@pytest.mark.parametrize("family", ["cnn", "fastgrnn"])
def test_a_trained_bundle_opens_verifies_and_names_the_step(family, toy_bundle, toy_dataset, tmp_path):
    bundle = toy_bundle(family)
    small, (report,) = compress(bundle, toy_dataset, [QAT()], epochs=1)
    save_bundle(small, tmp_path / "qat.edgehar")
    assert check_golden(open_bundle(tmp_path / "qat.edgehar"), "qat", "numba")["max_error"] == 0
    assert report.step == "qat"
    assert "1 epochs" in small.manifest.quant["calibration"]
    assert any(not np.array_equal(w, small.weights[name]) for name, w in bundle.weights.items())


def test_training_mends_what_coarse_integers_broke(toy_bundle, toy_dataset):
    """With ranges that cut most values off, the post-training logits are poor; a few epochs adapt the weights."""
    bundle = toy_bundle("fastgrnn")
    data = Data.of(bundle, toy_dataset)
    losses = {}
    for step, epochs in ((Quantise(calibration="percentile:70"), 0), (QAT(calibration="percentile:70"), 150)):
        small = step.apply(Context(bundle, data, epochs=epochs))
        logits = torch.from_numpy(int_logits(small, data.normaliser(data.train.x)))
        losses[step.name] = float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.train.y)))
    assert losses["qat"] < 0.8 * losses["quantise"]


def test_without_epochs_it_is_post_training_quantisation(toy_bundle, toy_dataset):
    bundle = toy_bundle("cnn")
    context = Context(bundle, Data.of(bundle, toy_dataset), epochs=0)
    trained, calibrated = QAT().apply(context), Quantise().apply(context)
    np.testing.assert_array_equal(trained.golden["logits"], calibrated.golden["logits"])


def test_pruned_weights_stay_zero(toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.6), QAT()], epochs=1)
    zeros = sum(int((w == 0).sum()) for w in small.weights.values())
    assert zeros >= 0.55 * sum(w.size for w in small.weights.values() if w.ndim > 1)


def test_the_same_seed_gives_the_same_bundle(toy_bundle, toy_dataset):
    context = Context(toy_bundle("fastgrnn"), Data.of(toy_bundle("fastgrnn"), toy_dataset), seed=3, epochs=1)
    one, again = QAT().apply(context), QAT().apply(context)
    assert all(np.array_equal(one.weights[name], again.weights[name]) for name in one.weights)


def test_a_spiking_model_is_refused_with_what_to_do(toy_bundle, toy_dataset):
    with pytest.raises(UsageError, match="l2mu") as caught:
        compress(toy_bundle("l2mu"), toy_dataset, [QAT()], epochs=1)
    assert "--quant" in caught.value.hint


def test_settings_are_those_of_quantise():
    with pytest.raises(UsageError, match="int4"):
        QAT(scheme="int4")


def test_the_command_trains_on_the_grid_of_the_scheme_it_is_given(toy_bundle, toy_dataset, tmp_path, capsys):
    save_bundle(toy_bundle("fastgrnn"), tmp_path / "toy.edgehar")
    start = ["compress", str(tmp_path / "toy.edgehar"), "--dataset", str(toy_dataset.path), "--out"]
    assert main([*start, str(tmp_path / "qat.edgehar"), "--quant", "int8x16", "--qat", "--epochs", "1"]) == 0
    quant = open_bundle(tmp_path / "qat.edgehar").manifest.quant
    assert quant["scheme"] == "int8x16"
    assert "epochs of training" in quant["calibration"]
    assert main([*start, str(tmp_path / "none.edgehar"), "--qat"]) == 2
    assert "--quant int8" in capsys.readouterr().err
