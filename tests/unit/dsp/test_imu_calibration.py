"""Still poses give back the bias and scale that a made-up sensor has, and say what they cannot know."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.dsp.imu_calibration import (
    PRIOR_BIAS_G,
    axis_up,
    check_gravity,
    fit_accelerometer,
    fit_gyroscope,
    poses,
    unknown_parameters,
)
from edgehar.dsp.imu_mirror import mirror_signs
from edgehar.dsp.imu_still import StillMoments
from edgehar.errors import InputError

SIDES = np.vstack([np.eye(3), -np.eye(3)])
BIAS, SCALE, TURN = np.array([0.03, -0.05, 0.02]), np.array([1.012, 0.985, 1.02]), np.array([0.01, -0.02, 0.005])
RATE_HZ = 100


def held(direction, seconds=6.0, *, noise=0.004, seed=0, gyro=True, tilt=0.05):
    """(acc_g, gyro_radps) of a sensor with BIAS, SCALE and TURN that lies with `direction` up, not quite straight."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    up = np.asarray(direction, float) + tilt * rng.standard_normal(3)
    acc = up / np.linalg.norm(up) * SCALE + BIAS + noise * rng.standard_normal((n, 3))
    return acc, (TURN if gyro else np.full(3, np.nan)) + 0.002 * rng.standard_normal((n, 3))


def moving(seconds=2.0, seed=9):
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    return 0.5 * rng.standard_normal((n, 3)) + [0, 0, 1], rng.standard_normal((n, 3))


def still(*parts, cut=7):
    """Still moments of the parts one after another, pushed in small pieces."""
    acc, gyro = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    t = np.arange(len(acc), dtype=np.int64) * (10**9 // RATE_HZ)
    found = StillMoments()
    moments = [
        m for i in range(0, len(t), cut) for m in found.push(t[i : i + cut], acc[i : i + cut], gyro[i : i + cut])
    ]
    return moments + found.end(), found


def many(directions, **about):
    parts = []
    for i, direction in enumerate(directions):
        parts += [moving(seed=100 + i), held(direction, seed=i, **about)]
    return poses(still(*parts)[0])


def test_six_sides_determine_everything():
    fit = fit_accelerometer(many(SIDES))
    assert all(fit.known)
    np.testing.assert_allclose(fit.bias_g, BIAS, atol=0.005)
    np.testing.assert_allclose(fit.scale, SCALE, atol=0.005)
    assert (np.abs(fit.bias_g - BIAS) < 4 * fit.sd[:3]).all()
    assert fit.after_g < 0.004 < 0.02 < fit.before_g


def test_one_pose_determines_nothing_and_changes_nothing():
    fit = fit_accelerometer(many(SIDES[2:3]))
    assert fit.known == (False,) * 6
    assert fit.bias_g.tolist() == [0, 0, 0]
    assert fit.scale.tolist() == [1, 1, 1]
    assert fit.after_g == fit.before_g
    assert len(unknown_parameters(fit)) == 6


def test_two_opposite_sides_determine_their_axis():
    fit = fit_accelerometer(many([[0, 0, 1], [0, 0, -1]], tilt=0.0))
    assert fit.known == (False, False, True, False, False, True)
    np.testing.assert_allclose([fit.bias_g[2], fit.scale[2]], [BIAS[2], SCALE[2]], atol=0.004)
    np.testing.assert_allclose(fit.sd[:2], PRIOR_BIAS_G, rtol=0.05)
    assert unknown_parameters(fit) == ["bias x", "bias y", "scale x", "scale y"]


def test_a_moment_ends_when_the_sensor_moves_and_short_ones_do_not_count():
    moments, found = still(moving(), held([0, 0, 1], 6), moving(), held([1, 0, 0], 1.5), moving(), held([0, 1, 0], 5))
    assert len(moments) == 2
    assert found.moved == 1
    assert moments[0].duration_s == pytest.approx(4.5, abs=0.6)


def test_a_slow_turn_is_no_pose():
    acc, gyro = held([0, 0, 1], 8, tilt=0.0)
    angle = np.radians(np.linspace(0, 60, len(acc)))
    acc[:, 0] += np.sin(angle)
    acc[:, 2] += np.cos(angle) - 1
    assert still((acc, gyro))[0] == []


def test_how_the_stream_is_cut_does_not_matter():
    parts = moving(), held([0, 0, 1]), moving(), held([0, 1, 0])
    for cut in (1, 50, 10_000):
        a, b = still(*parts)[0], still(*parts, cut=cut)[0]
        assert [(m.t0_ns, m.t1_ns, m.acc_g.tolist()) for m in a] == [(m.t0_ns, m.t1_ns, m.acc_g.tolist()) for m in b]


def test_a_pause_of_the_stream_ends_a_moment():
    acc, gyro = held([0, 0, 1], 8)
    t = np.arange(len(acc), dtype=np.int64) * (10**9 // RATE_HZ)
    t[400:] += 5 * 10**9
    found = StillMoments()
    assert len(found.push(t, acc, gyro) + found.end()) == 2


def test_the_longest_moment_of_a_pose_stands_for_it():
    moments, _ = still(held([0, 0, 1], 4), moving(), held([0, 0.1, 1], 9, seed=3), moving(), held([1, 0, 0], 4))
    chosen = poses(moments)
    assert len(moments) == 3
    assert [round(m.duration_s) for m in chosen] == [8, 3]


def test_the_gyroscope_s_bias_and_its_spread():
    bias = fit_gyroscope(many(SIDES[:2]))
    np.testing.assert_allclose(bias.bias_radps, TURN, atol=3e-4)
    assert (bias.spread_radps < 1e-3).all()
    assert fit_gyroscope(many(SIDES[:1], gyro=False)) is None


@pytest.mark.parametrize(
    ("factor", "why"),
    [
        (9.80665, "m/s\\^2"),
        (2.0, "the range is 1/2 of"),
        (0.5, "the range is 0.5 times"),
        (1.3, "feels 1.35 g, not 1$"),
    ],
)
def test_gravity_that_is_off_by_more_than_a_tenth_is_no_calibration(factor, why):
    acc, gyro = held([0, 0, 1], noise=1e-4)
    (moment,), _ = still((acc * factor, gyro))
    with pytest.raises(InputError, match=why) as raised:
        check_gravity(moment)
    assert "range and units" in raised.value.hint


def test_which_axis_is_up_and_how_far_off():
    (moment,), _ = still(held([0, -1, 0.3], tilt=0.0))
    up = axis_up(moment)
    assert up.axis == "-y"
    assert up.off_deg == pytest.approx(17, abs=3)


def test_a_mirrored_turn_is_the_turn_of_the_mirrored_motion():
    rng = np.random.default_rng(1)
    place, turn = rng.standard_normal(3), rng.standard_normal(3)
    for axis in "xyz":
        signs = mirror_signs(axis)
        # v = w x r holds on either side of the mirror
        np.testing.assert_allclose(np.cross(turn * signs[3:], place * signs[:3]), np.cross(turn, place) * signs[:3])
