"""csicnn: blind to what stands still and to which subcarrier says it; its export is the network that was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import random_bundle

from edgehar.errors import UsageError
from edgehar.models import make_model, restore_model
from edgehar.runtimes import make_runtime
from edgehar.train.supervised import predict

WINDOW, HOP, CHANNELS = 64, 16, 12


def trained(**options):
    """A model whose normalisations have seen data."""
    torch.manual_seed(0)
    model = make_model("csicnn", channels=CHANNELS, classes=3, window=WINDOW, seed=0, modes=4, **options)
    for _ in range(3):
        model.train()
        model(torch.randn(32, WINDOW, CHANNELS))
    return model.eval()


def bundle_of(model):
    table, tensors = model.export()
    random = random_bundle("cnn", channels=CHANNELS, classes=3)
    manifest = replace(random.manifest, window=WINDOW, hop=HOP, model=table)
    return replace(random, manifest=manifest, weights=tensors)


@pytest.mark.parametrize("runtime", ["reference", "numba"])
def test_the_exported_layers_are_the_trained_network(runtime):
    model = trained()
    bundle = bundle_of(model)
    x = np.random.default_rng(0).standard_normal((6, WINDOW, CHANNELS)).astype(np.float32)
    logits = np.array([make_runtime(runtime, bundle).window(one) for one in x])
    np.testing.assert_allclose(logits, predict(model, x), rtol=1e-4, atol=1e-5)
    restored = restore_model(bundle.manifest, bundle.weights)
    np.testing.assert_allclose(predict(restored, x), logits, rtol=1e-4, atol=1e-5)
    assert set(restored.matrices()) == {name for name in bundle.weights if name.endswith(".w")}


def test_a_static_profile_does_not_pass():
    model = trained()
    x = torch.randn(4, WINDOW, CHANNELS)
    with torch.no_grad():
        moved = model(x + 5 * torch.randn(4, 1, CHANNELS))
        torch.testing.assert_close(moved, model(x), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(model(x + torch.randn(4, WINDOW, 1)), model(x), rtol=1e-3, atol=1e-3)


def test_shared_kernels_learn_together():
    model = trained()
    model.train()
    before = [p.clone() for p in model.parameters()]
    model.loss(torch.randn(8, WINDOW, CHANNELS), torch.arange(8) % 3).backward()
    changed = [p.grad is not None for p in model.parameters()]
    assert changed.count(False) == 3  # the cosines and their unused normalisation
    assert len(before) == len(changed)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) < 10_000


def test_one_subcarrier_has_no_shape():
    with pytest.raises(UsageError, match="0 cosines over 1"):
        make_model("csicnn", channels=1, classes=3, window=WINDOW, seed=0)
