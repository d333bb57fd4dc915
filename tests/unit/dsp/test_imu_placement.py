"""A guess is made from walking only, whichever way the sensor is turned, and is withheld where it is unsure."""

from __future__ import annotations

import numpy as np
import pytest

from edgehar.dsp.imu_placement import FEATURES, UNKNOWN, guess_placement, placement_model, walking_features
from edgehar.errors import InputError
from tests.placements import HZ, features, walking, write_model


@pytest.fixture
def fitted(tmp_path, monkeypatch):
    """A machine on which a model was fitted."""
    write_model(tmp_path / "model.toml")
    monkeypatch.setattr("edgehar.dsp.imu_placement.placement_file", lambda: tmp_path / "model.toml")
    return tmp_path / "model.toml"


def test_features_do_not_depend_on_how_the_sensor_is_turned():
    acc, gyro = walking("leg")
    rotation, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))
    turned = walking_features(acc @ rotation, gyro @ rotation, HZ)
    np.testing.assert_allclose(turned, walking_features(acc, gyro, HZ), atol=1e-9)


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 100.0])
def test_features_hardly_depend_on_the_rate(rate_hz):
    at_50 = walking_features(*walking("leg"), HZ)
    np.testing.assert_allclose(walking_features(*walking("leg", rate_hz=rate_hz), rate_hz), at_50, atol=0.25)


@pytest.mark.usefixtures("fitted")
def test_legs_and_trunks_are_told_apart():
    assert guess_placement(features("leg")).place == "leg"
    assert guess_placement(features("trunk")).place == "trunk"
    assert guess_placement(features("wrist")).place == "wrist"


@pytest.mark.usefixtures("fitted")
def test_what_lies_between_is_unknown_with_its_reason():
    model = placement_model()
    between = model.means[:2].mean(axis=0)
    guess = guess_placement(between[None])
    assert guess.place == UNKNOWN
    assert "no placement is likelier than 80 %" in guess.why
    assert sum(guess.probabilities.values()) == pytest.approx(1.0)


def test_without_walking_nothing_is_guessed():
    rng = np.random.default_rng(0)
    resting = 0.005 * rng.standard_normal((250, 3)) + [0, 0, 1]
    running = 9.0 * rng.standard_normal((250, 3))
    assert walking_features(resting, 0.01 * rng.standard_normal((250, 3)), HZ) is None
    assert walking_features(running, running, HZ) is None
    assert walking_features(resting, np.full((250, 3), np.nan), HZ) is None
    assert guess_placement(np.empty((0, len(FEATURES)))).why == "nobody walked"


@pytest.mark.usefixtures("fitted")
def test_many_windows_do_not_make_it_as_sure_as_if_each_were_news():
    one = features("leg")[:1]
    once, often = guess_placement(one), guess_placement(np.repeat(one, 50, axis=0))
    assert often.probabilities["leg"] == pytest.approx(guess_placement(np.repeat(one, 2, axis=0)).probabilities["leg"])
    assert once.probabilities["leg"] < often.probabilities["leg"]


def test_without_a_fitted_model_it_says_how_to_fit_one(tmp_path, monkeypatch):
    monkeypatch.setattr("edgehar.dsp.imu_placement.placement_file", lambda: tmp_path / "none.toml")
    guess = guess_placement(features("leg"))
    assert guess.place == UNKNOWN
    assert "benchmarks/placement.py DATA --fit" in guess.why


def test_a_damaged_model_is_named(fitted):
    fitted.write_text("temperature = 2.0")
    with pytest.raises(InputError, match=r"model\.toml is no placement model"):
        placement_model()
