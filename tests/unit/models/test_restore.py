"""A model rebuilt from a bundle: the same logits, the same exported tensors, and still trainable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import random_bundle

from edgehar.errors import InputError
from edgehar.models import make_model, restore_model
from edgehar.train.supervised import predict

BUNDLES = {
    "cnn": {},
    "csieffnet": {},
    "dscnn": {},
    "fastgrnn": {},
    "fastgrnn-low-rank": {"rank_w": 3, "rank_u": 5},
    "fusion": {},
    "gru": {},
    "l2mu": {},
    "l2mu-synaptic": {"neuron": "synaptic", "encoder": "single"},
    "l2mu-plain": {"encoder": "plain", "readout": "count"},
}


def bundle_of(name, seed=3):
    return random_bundle(name.partition("-")[0], seed=seed, **BUNDLES[name])


@pytest.mark.parametrize("name", BUNDLES)
def test_logits_equal_the_golden_ones(name):
    bundle = bundle_of(name)
    logits = predict(restore_model(bundle.manifest, bundle.weights), bundle.golden["x"])
    np.testing.assert_allclose(logits, bundle.golden["logits"], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", BUNDLES)
def test_export_gives_the_same_table_and_tensors(name):
    bundle = bundle_of(name)
    table, tensors = restore_model(bundle.manifest, bundle.weights).export()
    assert table == bundle.manifest.model
    assert set(tensors) == set(bundle.weights)
    for key, tensor in tensors.items():
        np.testing.assert_allclose(tensor, bundle.weights[key], rtol=3e-7, atol=1e-7, err_msg=key)


@pytest.mark.parametrize("family", ["cnn", "dscnn", "fastgrnn", "gru", "l2mu"])
def test_a_trained_model_comes_back(family):
    torch.manual_seed(0)
    model = make_model(family, channels=3, classes=3, window=128, seed=0)
    x = torch.randn(32, 128, 3)
    for _ in range(3):
        model.train()
        model(x)  # moves the running statistics of the batch normalisations
    model.eval()
    table, tensors = model.export()
    random = random_bundle(family, channels=3, classes=3)
    restored = restore_model(replace(random.manifest, window=128, hop=64, model=table), tensors)
    assert {k: v.requires_grad for k, v in restored.matrices().items()} == dict.fromkeys(model.matrices(), True)
    np.testing.assert_allclose(predict(restored, x.numpy()), predict(model, x.numpy()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_zero_in_a_matrix_is_a_zero_in_its_tensor(name):
    bundle = bundle_of(name)
    model = restore_model(bundle.manifest, bundle.weights)
    for parameter in model.matrices().values():
        parameter.data[0] = 0
    _, tensors = model.export()
    for key, parameter in model.matrices().items():
        assert tensors[key].shape == tuple(parameter.shape)
        np.testing.assert_array_equal(tensors[key] == 0, parameter.detach().numpy() == 0)


@pytest.mark.parametrize("name", ["cnn", "dscnn"])
def test_renormalised_training_starts_where_the_bundle_stopped(name):
    bundle = bundle_of(name)
    x = np.random.default_rng(0).normal(1, 2, (200, 32, 6)).astype(np.float32)
    model = restore_model(bundle.manifest, bundle.weights)
    before = predict(model, x)
    model.renormalise(torch.from_numpy(x))
    np.testing.assert_allclose(predict(model, x), before, rtol=1e-4, atol=1e-4)
    # On those very windows, batch statistics and stored ones agree: training mode gives the same logits.
    model.train()
    model.dropout.p = 0.0
    with torch.no_grad():
        np.testing.assert_allclose(model(torch.from_numpy(x)).numpy(), before, rtol=1e-3, atol=1e-3)


def test_training_options_come_from_the_provenance():
    bundle = bundle_of("fastgrnn")
    options = {"dropout": 0.25, "hidden": 99, "longest_memory": 3.0}
    manifest = replace(bundle.manifest, provenance={"options": options})
    model = restore_model(manifest, bundle.weights)
    assert model.dropout.p == 0.25
    assert model.hidden == 16
    with pytest.raises(InputError, match="dropout"):
        restore_model(replace(manifest, provenance={"options": {"dropout": "half"}}), bundle.weights)


def test_restoring_leaves_torchs_generator_alone():
    bundle = bundle_of("gru")
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    restore_model(bundle.manifest, bundle.weights)
    assert torch.equal(torch.rand(1), expected)


def test_tensors_that_do_not_fit_are_refused():
    bundle = bundle_of("gru")
    with pytest.raises(InputError, match="w_hh"):
        restore_model(bundle.manifest, {**bundle.weights, "w_hh": np.zeros((2, 2), np.float32)})
