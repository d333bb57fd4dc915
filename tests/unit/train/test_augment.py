"""Augmentation moves windows the way it says, and only that way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgehar.datasets.triads import units_of
from edgehar.train.augment import Augmenter, fade, rotations, time_warp
from edgehar.train.recipe import Augment

TWO_UNITS = [f"{u}.{s}_{a}" for u in ("arm", "leg") for s in ("acc", "gyro") for a in "xyz"]
CARRIERS = [f"sc{k:+d}.amp" for k in range(4)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(n=8, w=20, c=12):
    return torch.randn(n, w, c, generator=generator(9))


def augmenter(channels=TWO_UNITS, **settings):
    return Augmenter(Augment(**settings), channels, np.ones(len(channels), np.float32))


def test_units_and_triads_are_found_by_name():
    assert [(u.name, u.triads) for u in units_of(TWO_UNITS)] == [
        ("arm", ((0, 1, 2), (3, 4, 5))),
        ("leg", ((6, 7, 8), (9, 10, 11))),
    ]
    assert [u.triads for u in units_of(["total_acc_x", "total_acc_y", "total_acc_z", "light", "mag_x"])] == [
        ((0, 1, 2),)
    ]


def test_triads_of_one_unit_turn_together_and_units_apart():
    x = batch()
    x[:, :, 3:6] = x[:, :, 0:3]
    x[:, :, 6:9] = x[:, :, 0:3]
    turned = augmenter(rotation_rad=1.0)(x, generator())
    torch.testing.assert_close(turned[:, :, 3:6], turned[:, :, 0:3])
    assert not torch.allclose(turned[:, :, 6:9], turned[:, :, 0:3], atol=1e-2)
    torch.testing.assert_close(turned[:, :, 0:3].norm(dim=2), x[:, :, 0:3].norm(dim=2))


def test_rotations_are_proper_and_their_angle_has_the_asked_spread():
    turn = rotations(4000, 0.3, generator())
    torch.testing.assert_close(turn @ turn.transpose(1, 2), torch.eye(3).expand_as(turn), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(4000))
    angle = torch.acos((turn.diagonal(dim1=1, dim2=2).sum(1).sub(1) / 2).clamp(-1, 1))
    assert float(angle.square().mean().sqrt()) == pytest.approx(0.3, rel=0.05)


def test_scale_is_one_gain_per_window_and_unit():
    x = batch()
    ratio = augmenter(scale=0.2)(x, generator()) / x
    torch.testing.assert_close(ratio[:, :, :6], ratio[:, :1, :1].expand_as(ratio[:, :, :6]))
    assert not torch.allclose(ratio[:, 0, 0], ratio[:, 0, 6])


def test_jitter_follows_the_channel_deviation():
    std = np.array([1.0, 0.0, 3.0], np.float32)
    x = torch.zeros(200, 20, 3)
    noise = Augmenter(Augment(jitter=0.1), ["a", "b", "c"], std)(x, generator()).std(dim=(0, 1))
    np.testing.assert_allclose(noise, 0.1 * std, rtol=0.05)


def test_time_warp_keeps_ends_order_and_range():
    ramp = torch.arange(50.0).view(1, 50, 1).expand(16, 50, 2).contiguous()
    warped = time_warp(ramp, 0.4, generator())
    torch.testing.assert_close(warped[:, [0, -1]], ramp[:, [0, -1]], atol=1e-3, rtol=0)
    assert bool((warped.diff(dim=1) > 0).all())
    assert float((warped - ramp).abs().max()) > 1


def test_input_is_untouched_and_seed_decides():
    x = batch()
    kept = x.clone()
    everything = augmenter(rotation_rad=0.3, scale=0.1, jitter=0.1, time_warp=0.2)
    first, again, other = (everything(x, generator(s)) for s in (1, 1, 2))
    assert torch.equal(x, kept)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_loudness_is_one_gain_for_a_window():
    x = torch.randn(20, 8, 4)
    louder = augmenter(CARRIERS, loudness=0.5)(x, generator(1))
    gain = (louder / x).reshape(20, -1)
    torch.testing.assert_close(gain, gain[:, :1].expand_as(gain))
    assert (gain > 0).all()
    assert gain[:, 0].log().std() == pytest.approx(0.5, rel=0.5)


def test_noise_has_another_level_in_every_window():
    x = torch.zeros(200, 50, 4)
    noisy = augmenter(CARRIERS, noise=2.0)(x, generator(1)).std(dim=(1, 2))
    assert noisy.min() < 0.2
    assert 1.5 < noisy.max() < 2.2


def test_fading_spreads_changes_anew_and_leaves_what_stands_still():
    still = 3 + torch.arange(30.0)
    x = still + torch.sin(torch.arange(40.0))[None, :, None].repeat(50, 1, 30)
    faded = fade(x, 0.5, generator(1))
    torch.testing.assert_close(faded.mean(1), x.mean(1), rtol=1e-4, atol=1e-4)
    kept = (faded == x).flatten(1).all(1)
    assert 10 < kept.sum() < 40
    curve = ((faded - x.mean(1, keepdim=True)) / (x - x.mean(1, keepdim=True)))[~kept][:, 3]
    torch.testing.assert_close(curve.square().mean(1), torch.ones(len(curve)), rtol=1e-3, atol=1e-3)
    assert (curve.diff(dim=1).abs() < 1).all()  # smooth over the channels
    assert (curve < 0).any()
