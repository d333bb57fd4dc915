"""A person is asked for poses, and a walk; what they tell is found whatever the person's pace."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from imu_motion import BIAS_G, SCALE, SIDES, SPEC, TURN_RADPS, chunks, held, six_poses, turned, walked

from edgehar.calibration_guide import Guide, Step, Wishes, told_placement
from edgehar.errors import ContractError, InputError, UsageError
from edgehar.types import StreamSpec
from tests.placements import write_model


def guided(x, wishes=None, spec=SPEC, size=10):
    guide = Guide(spec, wishes)
    prompts = [guide.prompt()]
    for chunk in chunks(x, spec, size):
        guide.push(chunk)
        if guide.prompt() != prompts[-1]:
            prompts.append(guide.prompt())
    return guide, prompts


def test_one_still_moment_gives_gyro_bias_gravity_and_what_is_up():
    guide, prompts = guided(np.vstack([turned(), held([0, 0, 1])]))
    assert prompts == ["hold it still for a few seconds", "done"]
    found = guide.findings()
    assert [up.axis for up in found.ups] == ["+z"]
    assert found.gravity_g == pytest.approx([1.04], abs=0.02)
    calibration = found.calibration()
    assert set(calibration.offset) == {"gyro_x", "gyro_y", "gyro_z"}
    np.testing.assert_allclose(list(calibration.offset.values()), TURN_RADPS, atol=1e-3)
    assert not calibration.gain
    assert "1 pose does not determine bias x" in found.notes[0]


def test_six_poses_give_bias_and_scale_of_every_axis():
    guide, prompts = guided(six_poses(), Wishes(poses=6))
    assert guide.step is Step.DONE
    assert [prompt.partition(":")[0] for prompt in prompts[:6]] == [f"pose {i} of 6" for i in range(1, 7)]
    calibration = guide.findings().calibration()
    np.testing.assert_allclose([calibration.offset[f"acc_{axis}"] for axis in "xyz"], BIAS_G, atol=0.006)
    np.testing.assert_allclose([calibration.gain[f"acc_{axis}"] for axis in "xyz"], SCALE, atol=0.006)
    assert not guide.findings().notes


def test_how_the_stream_is_cut_does_not_matter():
    one, many = (guided(six_poses(), Wishes(poses=6), size=size)[0].findings() for size in (1, 150))
    assert one.calibration().gain == many.calibration().gain


def test_a_pose_that_was_held_before_is_no_new_one():
    guide, _ = guided(np.vstack([held([0, 0, 1]), turned(), held([0, 0, 1], seed=2), turned()]), Wishes(poses=2))
    assert guide.step is Step.STILL
    assert guide.poses == 1


def test_fewer_poses_than_asked_for_must_do_when_patience_ends():
    x = np.vstack([held([0, 0, 1]), turned(30)])
    guide, _ = guided(x, Wishes(poses=3, patience_s=20))
    assert guide.step is Step.DONE
    assert "1 of 3 poses were held" in guide.findings().notes


def test_a_sensor_that_is_never_still_is_no_calibration():
    moving = np.vstack([part for i in range(12) for part in (turned(seed=i), held([0, 0, 1], 1.2, seed=i))])
    with pytest.raises(InputError, match=r"never still for three seconds \(\d+ times it moved too soon\)"):
        guided(moving, Wishes(patience_s=20))
    guide, _ = guided(turned(5))
    with pytest.raises(InputError, match="never still"):
        guide.finish()


def test_a_stream_that_ends_is_used_as_far_as_it_came():
    guide, _ = guided(np.vstack([turned(), held(SIDES[0]), turned(), held(SIDES[1], 8)]), Wishes(poses=6))
    assert len(guide.finish().ups) == 2


def test_walking_after_the_pose_gives_a_guess(tmp_path, monkeypatch):
    write_model(tmp_path / "model.toml")
    monkeypatch.setattr("edgehar.dsp.imu_placement.placement_file", lambda: tmp_path / "model.toml")
    guide, prompts = guided(np.vstack([held([0, 0, 1]), walked()]), Wishes(walk=True))
    assert prompts[1] == "walk as usual, straight on, for 30 seconds"
    found = guide.findings()
    assert found.placement.place == "leg"
    assert told_placement(found.placement).startswith("leg, a guess from 6 windows")
    assert found.calibration().about["placement_guess"] == "leg"


def test_without_a_walk_the_placement_is_unknown():
    guide, _ = guided(np.vstack([held([0, 0, 1]), held([0, 0, 1], 30)]), Wishes(walk=True, patience_s=20))
    assert told_placement(guide.findings().placement).startswith("UNKNOWN: nobody walked")


def test_too_slow_a_stream_for_a_guess_says_so():
    slow = replace(SPEC, rate_hz=12.5)
    guide, _ = guided(np.vstack([held([0, 0, 1]), walked(10)]), Wishes(walk=True), slow)
    assert guide.step is Step.DONE
    assert any("no guess at the placement" in note for note in guide.findings().notes)


def test_the_hanging_arm_tells_which_axis_the_mirror_stands_on():
    guide, prompts = guided(held([0, -1, 0.2]), Wishes(wrist="right", like="left"))
    assert prompts[0].startswith("let the arm hang down")
    assert guide.findings().mirror == "y"
    guide, _ = guided(held([0, -1, 0.2]), Wishes(wrist="left", like="left"))
    assert guide.findings().mirror == ""
    guide, _ = guided(held([1, 1, 1]), Wishes(wrist="right", like="left"))
    with pytest.raises(InputError, match="no axis of the sensor lies along the hanging forearm"):
        guide.findings()


def test_gravity_of_a_wrong_range_is_an_error():
    guide, _ = guided(held([0, 0, 1]) * 2)
    with pytest.raises(InputError, match="feels 2"):
        guide.findings()


def test_an_accelerometer_alone_is_calibrated_without_its_gyroscope():
    spec = StreamSpec("imu", SPEC.channels[:3], SPEC.rate_hz, ("g",) * 3)
    guide, _ = guided(held([0, 0, 1])[:, :3], None, spec)
    found = guide.findings()
    assert found.gyro is None
    assert "no gyroscope" in found.notes


@pytest.mark.parametrize(
    ("spec", "error", "why"),
    [
        (replace(SPEC, rate_hz=5.0), InputError, "5 samples a second, too few"),
        (replace(SPEC, kind="csi"), ContractError, "no motion sensor"),
        (StreamSpec("imu", ("acc_x",), 50.0, ("g",)), ContractError, "no acc_y, acc_z"),
        (replace(SPEC, units=("uT",) * 6), ContractError, "in 'uT'"),
    ],
)
def test_streams_that_cannot_be_calibrated(spec, error, why):
    with pytest.raises(error, match=why):
        Guide(spec)


@pytest.mark.parametrize(
    "wish", [{"poses": 0}, {"poses": 7}, {"patience_s": 0}, {"wrist": "left"}, {"wrist": "foot", "like": "left"}]
)
def test_wishes_that_make_no_sense(wish):
    with pytest.raises(UsageError):
        Wishes(**wish)
