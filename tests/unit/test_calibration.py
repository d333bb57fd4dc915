"""A calibration as a file, and on a stream whatever its units are called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from imu_motion import BIAS_G, SCALE, SPEC, chunks, held

from edgehar.calibration import (
    Calibration,
    correction,
    named_calibrations,
    parse_calibration,
    read_calibration,
    recorded_calibration,
)
from edgehar.errors import ContractError, InputError, MissingError, UsageError

FOUND = Calibration(
    {"acc_x": 0.03, "gyro_z": 0.01}, {"acc_x": 1.02}, "x", about={"device": 'tag "1"', "up": ["+z"], "poses": 6}
)


def test_a_file_holds_what_was_written():
    assert parse_calibration(FOUND.toml(), "here") == FOUND


def test_values_are_corrected_channel_by_channel():
    x = np.array([[0.03 + 1.02, 2.0, 3.0, 4.0, 5.0, 6.0]])
    (chunk,) = chunks(x)
    corrected = correction(FOUND, SPEC).apply(chunk)
    np.testing.assert_allclose(corrected.x, [[-1.0, 2.0, 3.0, 4.0, -5.0, -5.99]], rtol=1e-6)
    assert corrected.x.dtype == np.float32
    assert (corrected.seq == chunk.seq).all()
    assert corrected.spec == chunk.spec


def test_other_units_are_corrected_alike():
    metric = replace(SPEC, units=("mps2",) * 3 + ("dps",) * 3)
    (plain,) = chunks(held([0, 0, 1], 0.2))
    scale = np.array([9.80665] * 3 + [180 / np.pi] * 3)
    (scaled,) = chunks(held([0, 0, 1], 0.2) * scale, metric)
    np.testing.assert_allclose(
        correction(FOUND, metric).apply(scaled).x / scale, correction(FOUND, SPEC).apply(plain).x, atol=1e-5
    )


def test_one_of_several_sensors_is_corrected():
    joint = replace(
        SPEC, channels=tuple(f"{who}.{n}" for who in ("leg", "wrist") for n in SPEC.channels), units=SPEC.units * 2
    )
    (chunk,) = chunks(np.ones((3, 12)), joint)
    x = correction(FOUND, joint, "wrist").apply(chunk).x
    assert (x[:, :6] == 1).all()
    np.testing.assert_allclose(x[0, 6], -(1 - 0.03) / 1.02, rtol=1e-6)
    with pytest.raises(ContractError, match="is for acc_x, gyro_z") as raised:
        correction(FOUND, joint)
    assert "NAME=FILE" in raised.value.hint


def test_a_missing_value_stays_missing():
    (chunk,) = chunks(np.full((2, 6), np.nan))
    assert np.isnan(correction(FOUND, SPEC).apply(chunk).x).all()


def test_what_corrects_a_sensor_makes_its_gravity_right():
    six = Calibration(dict(zip(SPEC.channels, BIAS_G, strict=False)), dict(zip(SPEC.channels, SCALE, strict=False)))
    (chunk,) = chunks(held([0, 1, 0], 4), size=1000)
    assert np.linalg.norm(correction(six, SPEC).apply(chunk).x[:, :3].mean(axis=0)) == pytest.approx(1, abs=1e-3)


def test_a_simulated_sensor_s_calibration_is_not_for_a_real_one():
    simulated = replace(FOUND, simulated=True)
    correction(simulated, replace(SPEC, simulated=True))
    with pytest.raises(ContractError, match="simulated sensor"):
        correction(simulated, SPEC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = [", "no TOML"),
        ("schema_version = 2", "schema_version is 2, not 1"),
        ("schema_version = 1\nbias = 3", "unknown key 'bias'"),
        ("schema_version = 1\n[gain]\nacc_x = 9.81", "gain.acc_x = 9.81"),
        ("schema_version = 1\n[offset]\nacc_w = 1", "offset.acc_w"),
        ("schema_version = 1\n[offset]\nacc_x = 'a'", "offset.acc_x"),
        ("schema_version = 1\n[offset]\nacc_x = nan", "offset.acc_x"),
        ("schema_version = 1\nmirror = 'up'", "mirror = 'up'"),
    ],
)
def test_what_is_no_calibration_is_named(tmp_path, text, why):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=why) as raised:
        read_calibration(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path):
    with pytest.raises(MissingError) as raised:
        read_calibration(tmp_path / "c.toml")
    assert "edgehar calibrate" in raised.value.hint


def test_which_calibration_is_whose(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(FOUND.toml())
    assert named_calibrations([str(path)], ["main"]) == {"main": FOUND}
    assert named_calibrations([f"leg={path}"], ["leg", "wrist"]) == {"leg": FOUND}
    with pytest.raises(UsageError, match="for which of leg, wrist"):
        named_calibrations([str(path)], ["leg", "wrist"])
    with pytest.raises(UsageError, match="two calibrations"):
        named_calibrations([str(path), str(path)], ["main"])


def test_a_recording_keeps_it_beside_its_stream():
    assert recorded_calibration({"calibration.leg": FOUND.toml()}, "leg", "r.mcap") == FOUND
    assert recorded_calibration({"calibration.leg": FOUND.toml()}, "wrist", "r.mcap") is None
    with pytest.raises(InputError, match=r"r\.mcap, its calibration"):
        recorded_calibration({"calibration": "schema_version = 7"}, "main", "r.mcap")
