"""Normalisation: unit spread, constant channels left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgehar.datasets.chains import chain
from edgehar.dsp.graph import Preprocess
from edgehar.errors import UsageError
from edgehar.train.augment import rotations
from edgehar.train.normalise import Normaliser, inputs_seen
from edgehar.train.recipe import Recipe


def test_unit_spread_and_constant_channel():
    x = np.random.default_rng(0).normal([5, 1000, 0], [2, 0, 30], size=(50, 20, 3)).astype(np.float32)
    fitted = Normaliser.fit(x)
    y = fitted(x).reshape(-1, 3)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(0), [1, 0, 1], atol=1e-4)
    assert fitted.ops("abc")[0]["std"][1] == 1.0
    assert y.dtype == np.float32


def test_companding_equals_the_streamed_op():
    x = np.random.default_rng(1).normal([5, 1000, 0], [2, 7, 30], size=(50, 20, 3)).astype(np.float32)
    names = ("a", "b", "c")
    fitted = Normaliser.fit(x, channels=names, compand=50.0, compand_channels=("a", "c"))
    streamed = Preprocess(fitted.ops(names), names).push(x.reshape(-1, 3))
    seen = fitted(x).reshape(-1, 3)
    np.testing.assert_allclose(streamed, seen, atol=1e-5)
    np.testing.assert_allclose(seen[:, 1], Normaliser.fit(x)(x).reshape(-1, 3)[:, 1], atol=1e-6)
    assert abs(seen[:, 0]).mean() > abs(Normaliser.fit(x)(x)[..., 0]).mean()


def test_rectified_channels_follow_and_equal_the_streamed_ops():
    x = np.random.default_rng(2).normal(0, [2, 7, 30], size=(50, 20, 3)).astype(np.float32)
    names = ("a", "b", "c")
    fitted = Normaliser.fit(x, channels=names, compand=50.0, compand_channels=("a",), rectify_channels=("c", "a"))
    seen = fitted(x).reshape(-1, 5)
    np.testing.assert_array_equal(seen[:, 3:], np.abs(seen[:, [2, 0]]))
    streamed = Preprocess(fitted.ops(names), names)
    np.testing.assert_allclose(streamed.push(x.reshape(-1, 3)), seen, atol=1e-5)
    assert len(streamed.channels_out) == len(set(streamed.channels_out)) == 5


def test_rectified_channels_are_found_behind_a_filter_chain():
    applied = chain("uci-har")
    filtered = Preprocess(applied.operations, applied.channels).channels_out
    windows = ("body_acc_x", "body_acc_y", "body_acc_z", "body_gyro_x", "body_gyro_y", "body_gyro_z", *"abc")
    x = np.random.default_rng(3).normal(size=(4, 30, 9)).astype(np.float32)
    fitted = Normaliser.fit(x, channels=windows, rectify_channels=("body_gyro_y", "a"))
    after = Preprocess(fitted.ops(filtered), filtered)
    np.testing.assert_allclose(after.push(x[0]), fitted(x[0]), atol=1e-6)
    Preprocess([*applied.operations, *fitted.ops(filtered)], applied.channels)


def test_companding_an_unknown_channel_is_refused():
    with pytest.raises(UsageError, match="d"):
        Normaliser.fit(np.zeros((2, 3, 1), np.float32), channels=("a",), compand=1.0, compand_channels=("d",))


ARM = ("arm.acc_x", "arm.acc_y", "arm.acc_z", "light", "gyro_x", "gyro_y", "gyro_z")


def test_magnitudes_follow_the_channels_and_equal_the_streamed_ops():
    x = np.random.default_rng(4).normal([0, 0, 1, 300, 0, 0, 0], [1, 1, 1, 9, 40, 40, 40], size=(50, 20, 7))
    x = x.astype(np.float32)
    lifted = {"compand": 50.0, "compand_channels": ARM[4:], "rectify_channels": ("gyro_z",)}
    fitted = Normaliser.fit(x, channels=ARM, magnitudes=True, **lifted)
    seen = fitted(x).reshape(-1, 10)
    np.testing.assert_array_equal(seen[:, :7], Normaliser.fit(x, channels=ARM, **lifted)(x).reshape(-1, 8)[:, :7])
    flat = x.reshape(-1, 7).astype(np.float64)
    acc, gyro = np.linalg.norm(flat[:, :3], axis=1), np.linalg.norm(flat[:, 4:], axis=1)
    np.testing.assert_allclose(seen[:, 7], (acc - acc.mean()) / acc.std(), atol=1e-4)
    # A gyroscope at rest is where the companding curve is steep.
    gyro /= np.sqrt((gyro**2).mean())
    np.testing.assert_allclose(seen[:, 8], np.arcsinh(50 * gyro) / np.arcsinh(50), atol=1e-5)
    streamed = Preprocess(fitted.ops(ARM), ARM)
    np.testing.assert_allclose(streamed.push(x.reshape(-1, 7)), seen, atol=2e-5)
    assert len(streamed.channels_out) == inputs_seen(ARM, Recipe(magnitudes=True, rectify_channels=("gyro_z",))) == 10


def test_magnitudes_do_not_see_a_turned_sensor():
    x = np.random.default_rng(5).normal(size=(20, 30, 3)).astype(np.float32)
    turned = x @ rotations(1, 1.0, torch.Generator().manual_seed(0))[0].numpy()
    fitted = Normaliser.fit(x, channels=("acc_x", "acc_y", "acc_z"), magnitudes=True)
    np.testing.assert_allclose(fitted(turned)[..., 3], fitted(x)[..., 3], atol=1e-5)
    assert np.abs(fitted(turned)[..., :3] - fitted(x)[..., :3]).max() > 1


def test_magnitudes_without_a_triad_are_refused():
    with pytest.raises(UsageError, match="acc_y") as refused:
        Normaliser.fit(np.zeros((2, 3, 2), np.float32), channels=("acc_x", "acc_y"), magnitudes=True)
    assert "magnitudes=false" in refused.value.hint


def test_a_steady_magnitude_is_not_blown_up():
    gravity = np.random.default_rng(6).normal(size=(20, 30, 3))
    gravity /= np.linalg.norm(gravity, axis=-1, keepdims=True) * np.random.default_rng(7).normal(1, 1e-4, (20, 30, 1))
    fitted = Normaliser.fit(gravity.astype(np.float32), channels=("g_x", "g_y", "g_z"), magnitudes=True)
    assert np.abs(fitted(1.1 * gravity.astype(np.float32))[..., 3] - 0.1).max() < 0.01


def test_channels_keep_their_proportions_by_the_spread_of_motion():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((20, 30, 3)) * [1, 2, 3] + 9 * rng.standard_normal((20, 1, 3))).astype(np.float32)
    fitted = Normaliser.fit(x, channels=("a", "b", "c"), spread="motion")
    np.testing.assert_allclose(fitted.std, np.sqrt(14 / 3), rtol=0.1)
    assert len(set(fitted.std.tolist())) == 1
