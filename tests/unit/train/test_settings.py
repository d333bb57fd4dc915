"""Options and recipe together: files, defaults, single changes."""

from __future__ import annotations

import pytest

from edgehar.errors import EdgeHarError, InputError, MissingError
from edgehar.manifest import SEVERAL_SENSORS
from edgehar.models import MODELS, make_model
from edgehar.train.recipe import Augment, Recipe
from edgehar.train.settings import Settings, default_settings, load_settings


def test_files(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("[options]\nhidden = 5\n[recipe]\nepochs = 7\n[recipe.augment]\nscale = 0.1\n")
    assert load_settings(path) == Settings({"hidden": 5}, Recipe(epochs=7, augment=Augment(scale=0.1)))
    path.write_text("epochs = 8\n")
    with pytest.raises(InputError, match="no table 'epochs'"):
        load_settings(path)
    path.write_text("epochs = \n")
    with pytest.raises(InputError, match="line 1"):
        load_settings(path)
    with pytest.raises(MissingError):
        load_settings(tmp_path / "absent.toml")


def test_changes():
    settings = Settings({"hidden": 5}).changed(
        ["options.hidden=6", "recipe.optimizer='sgd'", "recipe.augment.scale=0.5", "options.note='a=b'"]
    )
    assert settings.options == {"hidden": 6, "note": "a=b"}
    assert settings.recipe == Recipe(optimizer="sgd", augment=Augment(scale=0.5))


@pytest.mark.parametrize("change", ["lr=1", "recipe.lr", "recipe.lr=x", "model.lr=1", "recipe.rate=1"])
def test_wrong_changes_are_refused(change):
    with pytest.raises(EdgeHarError) as caught:
        Settings().changed([change])
    assert caught.value.hint


@pytest.mark.parametrize("name", MODELS)
def test_every_family_has_defaults_that_build(name):
    settings = default_settings(name)
    assert settings != Settings()
    wiring = {"sensor": (0, 0, 0, 1, 1, 1)} if name in SEVERAL_SENSORS else {}
    make_model(name, channels=6, classes=7, window=128, seed=0, **wiring, **settings.options)


@pytest.mark.parametrize(
    "content", [b"\xff", b"options = 5", b"recipe = [1]", b"[recipe]\nstep_at = ['a']", b"[recipe]\naugment = 3"]
)
def test_what_is_no_recipe_is_refused_by_name(content, tmp_path):
    (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"r\.toml"):
        load_settings(tmp_path / "r.toml")
