"""csieffnet: a 2-D stem over bands of subcarriers, inverted bottlenecks, and the same numbers wherever it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import random_bundle
from torch.nn import functional as F

from edgehar.errors import UsageError
from edgehar.models import make_model, restore_model
from edgehar.models.convnet import Residual
from edgehar.models.csieffnet import CsiEffNet
from edgehar.runtimes import make_runtime
from edgehar.train.supervised import predict

WINDOW, HOP, CHANNELS = 64, 16, 12


def trained(**options):
    """A model whose normalisations have seen data."""
    torch.manual_seed(0)
    options = {"bands": 3, **options}
    model = make_model("csieffnet", channels=CHANNELS, classes=3, window=WINDOW, seed=0, **options)
    for _ in range(3):
        model.train()
        model(torch.randn(32, WINDOW, CHANNELS))
    return model.eval()


def bundle_of(model):
    table, tensors = model.export()
    random = random_bundle("cnn", channels=CHANNELS, classes=3)
    manifest = replace(random.manifest, window=WINDOW, hop=HOP, model=table)
    return replace(random, manifest=manifest, weights=tensors)


def windows(n, samples=WINDOW):
    return np.random.default_rng(0).standard_normal((n, samples, CHANNELS)).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"static": True, "fused": 2, "blocks": 1}, {"bands": 1, "fused": 0}])
def test_the_exported_layers_are_the_trained_network(options):
    model = trained(**options)
    bundle, x = bundle_of(model), windows(6)
    runtime = make_runtime("reference", bundle)
    logits = np.array([runtime.window(one) for one in x])
    np.testing.assert_allclose(logits, predict(model, x), rtol=1e-4, atol=1e-5)
    restored = restore_model(bundle.manifest, bundle.weights)
    np.testing.assert_allclose(predict(restored, x), logits, rtol=1e-4, atol=1e-5)
    assert set(restored.matrices()) == {name for name in bundle.weights if name.endswith(".w")}


@pytest.mark.parametrize("runtime", ["reference", "numba"])
def test_a_stream_gives_the_logits_of_its_windows(runtime):
    bundle = bundle_of(trained())
    stream = windows(1, 4 * WINDOW)[0]
    whole = make_runtime("reference", bundle)
    ends, logits = make_runtime(runtime, bundle).push(stream)
    assert ends.tolist() == list(range(WINDOW, len(stream) + 1, HOP))
    for end, found in zip(ends, logits, strict=True):
        np.testing.assert_allclose(found, whole.window(stream[end - WINDOW : end]), rtol=1e-5, atol=1e-5)


def test_rows_and_stem_are_a_strided_2d_convolution_of_the_resized_picture():
    model = trained(bands=3)
    rows, stem = model.trunk[0], model.trunk[1]
    x = torch.randn(2, WINDOW, CHANNELS)
    with torch.no_grad():
        # 12 subcarriers to 7 rows: by way of 84, which both divide.
        picture = F.avg_pool1d(x.repeat_interleave(7, dim=2), 12).transpose(1, 2)  # [b, 7, w]
        kernels = stem.conv.weight - stem.conv.weight.mean(dim=2, keepdim=True)
        bands = F.conv2d(picture[:, None], kernels[:, None], stride=2)  # [b, filters, 3, t]
        expected = torch.cat([torch.relu(stem.norm(band)) for band in bands.unbind(dim=2)], dim=1)
        torch.testing.assert_close(stem(rows(x.transpose(1, 2))), expected, rtol=1e-4, atol=1e-5)


def test_blocks_widen_inside_and_project_without_an_activation():
    model = trained(width=10, expansion=3)
    fused, *later = [layer.body for layer in model.trunk if isinstance(layer, Residual)]
    assert [(unit.kernel, unit.outputs, unit.groups, unit.relu) for unit in fused] == [
        (3, 3 * 24, 3, True),
        (1, 3 * 8, 3, False),
    ]
    assert len(later) == 2
    for body in later:
        assert [(unit.kernel, unit.outputs, unit.groups, unit.relu) for unit in body] == [
            (1, 30, 1, True),
            (5, 30, 30, True),
            (1, 10, 1, False),
        ]


def test_a_static_profile_passes_only_where_it_is_asked_for():
    x = torch.randn(4, WINDOW, CHANNELS)
    moved = x + 5 * torch.randn(4, 1, CHANNELS)
    with torch.no_grad():
        blind, seeing = trained(), trained(static=True)
        torch.testing.assert_close(blind(moved), blind(x), rtol=1e-3, atol=1e-3)
        assert (seeing(moved) - seeing(x)).abs().max() > 0.05


def test_every_weight_learns_and_the_size_is_that_of_a_small_network():
    model = make_model("csieffnet", channels=52, classes=7, window=100, seed=0)
    model.loss(torch.randn(8, 100, 52), torch.arange(8) % 7).backward()
    free = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in free)
    assert 10_000 < sum(p.numel() for p in free) < 30_000


@pytest.mark.parametrize(("channels", "bands"), [(1, 6), (12, 0)])
def test_a_picture_without_rows_is_refused(channels, bands):
    with pytest.raises(UsageError, match=f"{bands} bands of {channels} subcarriers"):
        CsiEffNet.build(channels=channels, classes=3, window=WINDOW, bands=bands)


def test_a_window_that_is_too_short_is_refused():
    with pytest.raises(UsageError, match="a window of 48 samples is too short"):
        make_model("csieffnet", channels=CHANNELS, classes=3, window=48, seed=0)
