"""The training loop: it learns, it is deterministic, and an interrupted run equals an uninterrupted one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from edgehar.datasets.windowset import WindowSet
from edgehar.errors import EdgeHarError, InputError
from edgehar.models import make_model
from edgehar.train.recipe import Recipe
from edgehar.train.supervised import fit

FULL = Recipe.from_dict(
    {
        "epochs": 4,
        "batch": 16,
        "lr": 0.01,
        "ema": 0.9,
        "clip_norm": 1.0,
        "label_smoothing": 0.05,
        "select": "best-validation",
        "augment": {"rotation_rad": 0.2, "scale": 0.1, "jitter": 0.05, "time_warp": 0.2},
    }
)


def windows(n=120, seed=0):
    """Three classes that differ in the mean of one axis of acceleration."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 16, 6)).astype(np.float32)
    x[np.arange(n), :, y] += 1.5
    channels = tuple(f"{s}_{a}" for s in ("acc", "gyro") for a in "xyz")
    subject = np.array([f"s{i % 5}" for i in range(n)])
    return WindowSet(
        x, y, subject, subject, np.arange(n), ("a", "b", "c"), channels, ("g",) * 3 + ("radps",) * 3, 50.0, 16, 8
    )


def model(seed=0):
    return make_model("gru", channels=6, classes=3, window=16, seed=seed, hidden=8, dropout=0.2)


def weights(m):
    return torch.cat([p.flatten() for p in m.state_dict().values()])


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "nadam", "sgd"])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_learns(optimizer, schedule):
    recipe = Recipe(epochs=12, batch=16, lr=0.1 if optimizer == "sgd" else 0.02, optimizer=optimizer, schedule=schedule)
    result = fit(model(), windows(), recipe, seed=1)
    test = windows(seed=9)
    assert (result.logits(test).argmax(1) == test.y).mean() > 0.8


@pytest.mark.parametrize("recipe", [FULL, replace(FULL, optimizer="sgd", ema=0.0), replace(FULL, optimizer="nadam")])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, recipe):
    train, validation = windows(), windows(60, seed=5)
    whole = fit(model(), train, recipe, seed=3, validation=validation)

    def stop(record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(model(), train, recipe, seed=3, validation=validation, checkpoint=checkpoint, progress=stop)
    seen = []
    # Another initial model, as a fresh process that got the seed wrong would have: the checkpoint must win.
    resumed = fit(
        model(seed=77), train, recipe, seed=3, validation=validation, checkpoint=checkpoint, progress=seen.append
    )
    assert [record.epoch for record in seen] == [2, 3]
    assert torch.equal(weights(whole.model), weights(resumed.model))
    assert [r.loss for r in whole.history] == [r.loss for r in resumed.history]
    assert whole.chosen_epoch == resumed.chosen_epoch


def test_finished_checkpoint_returns_the_same_model(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    arguments = {"seed": 3, "validation": windows(60, seed=5), "checkpoint": checkpoint}
    first = fit(model(), windows(), FULL, **arguments)
    again = fit(model(seed=5), windows(), FULL, **arguments)
    assert torch.equal(weights(first.model), weights(again.model))


def test_checkpoint_of_another_training_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    recipe = Recipe(epochs=1, batch=16)
    fit(model(), windows(), recipe, seed=3, checkpoint=checkpoint)
    with pytest.raises(InputError, match="another training"):
        fit(model(), windows(), recipe, seed=4, checkpoint=checkpoint)


def test_damaged_checkpoint_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit(model(), windows(), Recipe(epochs=1, batch=16), seed=3, checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read"):
        fit(model(), windows(), Recipe(epochs=1, batch=16), seed=3, checkpoint=checkpoint)


def test_seed_alone_decides():
    runs = [weights(fit(model(), windows(), replace(FULL, select="none"), seed=s).model) for s in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_global_generator_is_left_alone():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    fit(model(), windows(), Recipe(epochs=1, batch=16), seed=3)
    assert torch.equal(before, torch.get_rng_state())


def test_best_validation_keeps_the_best_epoch_and_stops():
    validation = windows(60, seed=5)
    recipe = Recipe(epochs=60, batch=16, lr=0.02, select="best-validation", patience=3, schedule="constant")
    result = fit(model(), windows(), recipe, seed=3, validation=validation)
    best = max(range(len(result.history)), key=lambda i: (result.history[i].validation, -i))
    chosen = result.history[result.chosen_epoch]
    assert chosen.validation == result.history[best].validation
    assert len(result.history) == result.chosen_epoch + 1 + recipe.patience < recipe.epochs
    assert (result.logits(validation).argmax(1) == validation.y).mean() == pytest.approx(chosen.validation)


def test_best_validation_without_validation_is_refused():
    with pytest.raises(InputError, match="holds none out"):
        fit(model(), windows(), Recipe(select="best-validation"), seed=1)


def test_probe_sees_every_epoch_and_changes_nothing():
    recipe = replace(FULL, select="none")
    test = windows(30, seed=8)

    def probe(logits):
        return {"accuracy": float((logits(test.x).argmax(1) == test.y).mean())}

    probed = fit(model(), windows(), recipe, seed=3, probe=probe)
    plain = fit(model(), windows(), recipe, seed=3)
    assert len([r.probe["accuracy"] for r in probed.history]) == recipe.epochs
    assert probed.history[-1].probe["accuracy"] == (probed.logits(test).argmax(1) == test.y).mean()
    assert torch.equal(weights(probed.model), weights(plain.model))


def test_diverging_loss_names_the_way_out():
    train = windows()
    train.x[0, 0, 0] = np.nan
    with pytest.raises(EdgeHarError, match="the loss became nan in epoch 1") as caught:
        fit(model(), train, Recipe(epochs=1, batch=len(train)), seed=0)
    assert "clip_norm" in caught.value.hint
