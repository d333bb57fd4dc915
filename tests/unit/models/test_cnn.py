"""The convolutional families: exported layers equal the trained module, valid convolutions only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from edgehar.errors import UsageError
from edgehar.models import make_model
from edgehar.models.cnn import CNN
from edgehar.models.convnet import ConvUnit, Residual, SensorDropout
from edgehar.models.dscnn import DSCNN


def conv(layer, tensors, x):
    """Valid grouped convolution in float64: x [in, t] -> [out, t']."""
    w = tensors[f"{layer['name']}.w"].astype(np.float64)
    b = tensors[f"{layer['name']}.b"].astype(np.float64)
    assert w.shape[0] == layer["out"]
    assert w.shape[2] == layer["kernel"]
    per_group = layer["out"] // layer["groups"]
    patches = sliding_window_view(x, layer["kernel"], axis=1)[:, :: layer["stride"]]  # [in, t', k]
    rows = []
    for o in range(layer["out"]):
        first = (o // per_group) * w.shape[1]
        rows.append(np.einsum("itk,ik->t", patches[first : first + w.shape[1]], w[o]) + b[o])
    y = np.stack(rows)
    return np.maximum(y, 0) if layer["relu"] else y


def execute(model, tensors, x):
    """Run an exported layer list over one window x [w, c]."""
    h = x.astype(np.float64).T
    for layer in model["layers"]:
        if layer["op"] == "conv":
            h = conv(layer, tensors, h)
        elif layer["op"] == "residual":
            y = h
            for part in layer["body"]:
                y = conv(part, tensors, y)
            crop = (h.shape[1] - y.shape[1]) // 2
            h = np.maximum(y + h[:, crop : crop + y.shape[1]], 0)
        elif layer["op"] == "mean":
            h = h.mean(axis=1)
        elif layer["op"] == "linear":
            h = tensors[f"{layer['name']}.w"] @ h + tensors[f"{layer['name']}.b"]
    return h


def shake(model):
    """Batch-norm statistics and affine terms as training would leave them: far from identity."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.3, 2.0),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.5, 0.5),
            ):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)


CASES = [
    (CNN, {}, 9, 128),
    (CNN, {"depth": 2, "width": 12, "width2": 16, "kernel": 5, "blocks": 1}, 6, 128),
    (CNN, {"stem_stride": 5, "stage_stride": 1, "width": 16, "width2": 8}, 30, 125),
    (DSCNN, {}, 9, 128),
    (DSCNN, {"width": 16, "blocks": 2, "kernel": 3}, 6, 40),
]


@pytest.mark.parametrize(("family", "options", "channels", "window"), CASES)
def test_exported_layers_equal_the_module(family, options, channels, window):
    torch.manual_seed(0)
    model = family.build(channels=channels, classes=5, window=window, **options)
    shake(model)
    model.eval()
    x = torch.randn(3, window, channels)
    with torch.no_grad():
        expected = model(x).numpy()
    description, tensors = model.export()
    assert description["family"] == family.family
    assert (description["inputs"], description["classes"]) == (channels, 5)
    assert all(t.dtype == np.float32 and t.flags.c_contiguous for t in tensors.values())
    got = np.stack([execute(description, tensors, w) for w in x.numpy()])
    np.testing.assert_allclose(got, expected, atol=1e-5, rtol=1e-5)


def test_every_exported_tensor_is_named_by_a_layer_and_once():
    description, tensors = CNN.build(channels=9, classes=6, window=128).export()
    flat = [part for layer in description["layers"] for part in layer.get("body", [layer])]
    names = [f"{p['name']}.{s}" for p in flat if "name" in p for s in "wb"]
    assert sorted(names) == sorted(tensors)
    assert len(set(names)) == len(names)


def test_the_default_cnn_has_about_fifty_thousand_parameters():
    count = sum(p.numel() for p in CNN.build(channels=9, classes=6, window=128).parameters())
    assert 46_000 <= count <= 51_000


@pytest.mark.parametrize(("family", "options"), [(CNN, {}), (DSCNN, {}), (CNN, {"stem_stride": 4, "depth": 2})])
def test_shifting_by_the_total_stride_shifts_the_features(family, options):
    """No padding: features of a later window are the tail of the earlier window's, so a stream can reuse them."""
    torch.manual_seed(1)
    model = family.build(channels=3, classes=2, window=128, **options).eval()
    stride = int(np.prod([u.stride for u in model.modules() if isinstance(u, ConvUnit)]))
    x = torch.randn(1, 3, 128 + stride)
    with torch.no_grad():
        first, second = model.trunk(x[..., :128]), model.trunk(x[..., stride:])
    torch.testing.assert_close(first[..., 1:], second[..., :-1], atol=1e-5, rtol=1e-5)


def test_sensor_dropout_blanks_whole_sensors_and_only_in_training():
    torch.manual_seed(2)
    layer = SensorDropout(0.5, 3)
    x = torch.ones(64, 6, 10)
    blanked = layer(x).reshape(64, 2, 30).mean(dim=2)
    assert set(blanked.unique().tolist()) == {0.0, 1.0}
    layer.eval()
    assert layer(x) is x


def test_a_window_too_short_for_the_network_is_refused():
    with pytest.raises(UsageError, match="too short") as error:
        CNN.build(channels=6, classes=3, window=20)
    assert "longer window" in error.value.hint


def test_an_even_kernel_has_no_central_crop():
    with pytest.raises(UsageError, match="no centre"):
        Residual([ConvUnit(4, 4, 4)])


def test_sensor_channels_must_divide_the_input():
    with pytest.raises(UsageError, match="do not split"):
        CNN.build(channels=9, classes=6, window=128, sensor_dropout=0.1, sensor_channels=6)


def test_a_recipe_can_name_every_option():
    options = {"sensor_dropout": 0.2, "sensor_channels": 6, "stem_stride": 5, "stage_stride": 1, "kernel": 5}
    for name in ("cnn", "dscnn"):
        model = make_model(name, channels=30, classes=19, window=125, seed=0, **options)
        assert model.blank.p == 0.2
        assert model.blank.size == 6
