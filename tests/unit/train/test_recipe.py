"""Recipes are read exactly and refused precisely."""

from __future__ import annotations

import json

import pytest

from edgehar.errors import EdgeHarError
from edgehar.train.recipe import Augment, Recipe


def test_round_trip_through_json():
    recipe = Recipe(epochs=3, step_at=(0.5, 0.75), augment=Augment(rotation_rad=0.3))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_whole_numbers_serve_as_floats():
    assert Recipe.from_dict({"lr": 1}).lr == 1.0


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"epoch": 3}, "no setting 'epoch'"),
        ({"epochs": 2.5}, "epochs is 2.5"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": True}, "epochs is True"),
        ({"lr": 0}, "lr is 0"),
        ({"optimizer": "adamax"}, "optimizer is 'adamax'"),
        ({"select": "best-validation", "train_on_validation": True}, "train_on_validation is True"),
        ({"train_on_validation": 1}, "train_on_validation is 1"),
        ({"select": "test"}, "select is 'test'"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"step_at": [1.5]}, "step_at is (1.5,)"),
        ({"augment": {"rotate": 1}}, "no setting 'rotate'"),
        ({"augment": {"scale": -1}}, "augment.scale is -1"),
        ({"augment": 3}, "augment is 3"),
    ],
)
def test_wrong_settings_are_named(table, told):
    with pytest.raises(EdgeHarError) as caught:
        Recipe.from_dict(table, where="here")
    assert told in str(caught.value)
    assert "here" in str(caught.value)
    assert caught.value.hint
