"""The supervised loop: minibatches, averaged weights, selection on held-out training subjects, exact resume."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edgehar.contract import of_head
from edgehar.datasets.windowset import WindowSet
from edgehar.errors import EdgeHarError, InputError, Reason, UsageError
from edgehar.models.base import Model
from edgehar.train.augment import Augmenter
from edgehar.train.checkpoint import load_checkpoint, pack_optimizer, save_checkpoint, unpack_optimizer, with_prefix
from edgehar.train.constraint import Constraint
from edgehar.train.normalise import Normaliser
from edgehar.train.recipe import Recipe
from edgehar.train.schedule import lr_factor, make_optimizer, set_lr
from edgehar.types import FloatArray

EVALUATION_BATCH = 512


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch's record; `validation` is accuracy and `validation_loss` cross-entropy, where they were measured."""

    epoch: int
    loss: float
    lr: float
    seconds: float
    validation: float | None = None
    validation_loss: float | None = None
    probe: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class FitResult:
    """A trained model in evaluation mode, how to normalise for it, and how it got there."""

    model: Model
    normaliser: Normaliser
    history: tuple[Epoch, ...]
    chosen_epoch: int
    seconds: float

    def logits(self, windows: WindowSet) -> FloatArray:
        """Logits [n, k] of windows in physical units."""
        return predict(self.model, self.normaliser(windows.x))


Probe = Callable[[Callable[[FloatArray], FloatArray]], Mapping[str, float]]
"""Given a function from windows [n, w, c] in physical units to logits, measure something after an epoch."""


def predict(model: Model, x: FloatArray) -> FloatArray:
    """Logits [n, k] of normalised windows x [n, w, c], in evaluation mode."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(x[i : i + EVALUATION_BATCH])) for i in range(0, len(x), EVALUATION_BATCH)]
    model.train(was_training)
    logits: FloatArray = torch.cat(parts).numpy()
    return logits


def fit(
    model: Model,
    train: WindowSet,
    recipe: Recipe,
    *,
    seed: int,
    validation: WindowSet | None = None,
    probe: Probe | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[Epoch], None] | None = None,
    normaliser: Normaliser | None = None,
    constraint: Constraint | None = None,
) -> FitResult:
    """Train `model` in place on `train` and return it with the chosen weights.

    The result depends on the model's initial weights, the windows, the recipe, the seed and torch's thread count
    only. With `checkpoint`, every epoch's state is written there and a later call with the same arguments goes on
    from it, bit for bit. `validation` (held-out training subjects) is used by `best-validation` alone. `probe` sees
    each epoch's weights and never influences them: it is for figures that are stamped as selected on test data.
    A `normaliser` that is given is used as it is; otherwise one is fitted to `train` as the recipe says. `constraint`
    is imposed after every update.
    """
    if len(train) == 0:
        raise InputError("no training windows", reason=Reason.VALUE, hint="look at the split and the classes asked for")
    if recipe.select == "best-validation" and (validation is None or len(validation) == 0):
        raise InputError(
            "the recipe selects on validation subjects, but the split holds none out of training",
            reason=Reason.VALUE,
            hint='choose a split with validation subjects, or set select = "none"',
        )
    if constraint is not None and checkpoint is not None:
        raise UsageError(
            "a training under a constraint keeps no checkpoint: the constraint's state would be missing from it",
            reason=Reason.VALUE,
            hint="leave the checkpoint out",
        )
    held_out = validation if recipe.select == "best-validation" else None
    loop = _Loop(
        model,
        train,
        recipe,
        seed=seed,
        validation=held_out,
        probe=probe,
        normaliser=normaliser,
        constraint=constraint,
    )
    if checkpoint is not None:
        loop.resume(checkpoint)
    while not loop.finished:
        record = loop.run_epoch()
        if checkpoint is not None:
            loop.save(checkpoint)
        if progress is not None:
            progress(record)
    return loop.result()


class _Loop:
    """The state of one training: everything that a checkpoint must hold."""

    def __init__(
        self,
        model: Model,
        train: WindowSet,
        recipe: Recipe,
        *,
        seed: int,
        validation: WindowSet | None,
        probe: Probe | None,
        normaliser: Normaliser | None,
        constraint: Constraint | None,
    ) -> None:
        self.model, self.recipe, self.seed, self.validation, self.probe = model, recipe, seed, validation, probe
        self.constraint = constraint
        self.normaliser = normaliser or Normaliser.fit(
            train.x,
            channels=train.channels,
            magnitudes=recipe.magnitudes,
            spread=recipe.spread,
            compand=recipe.compand,
            compand_channels=recipe.compand_channels,
            rectify_channels=recipe.rectify_channels,
        )
        spread = self.normaliser.std[: len(train.channels)]  # magnitudes come after augmentation
        self.augment = Augmenter(recipe.augment, train.channels, spread) if recipe.augment else None
        # Without augmentation the windows are normalised once, not once a batch.
        self.x = torch.from_numpy(np.ascontiguousarray(train.x if self.augment else self.normaliser(train.x)))
        self.y = torch.from_numpy(train.y)
        self.batch = min(recipe.batch, len(train))
        self.batches = len(train) // self.batch  # an incomplete last batch is left out; the next shuffle differs
        self.optimizer = make_optimizer(recipe, model.parameter_groups(recipe.weight_decay))
        self.averaged = copy.deepcopy(model).requires_grad_(requires_grad=False) if recipe.ema else model
        self.pairs = list(zip(self.averaged.state_dict().values(), model.state_dict().values(), strict=True))
        self.generator = torch.Generator().manual_seed(seed)  # order and augmentation
        self.dropout_state = torch.Generator().manual_seed(seed).get_state()  # torch's own generator: dropout
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = -1
        self.validation_x = None if validation is None else self.normaliser(validation.x)

    @property
    def finished(self) -> bool:
        done, patience = len(self.history), self.recipe.patience
        out_of_patience = bool(self.best) and patience > 0 and done - 1 - self.best_epoch >= patience
        return done >= self.recipe.epochs or out_of_patience

    def run_epoch(self) -> Epoch:
        started = time.perf_counter()
        number = len(self.history)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.dropout_state)
            loss, lr = self._minibatches(number)
            self.dropout_state = torch.get_rng_state()
        record = Epoch(number, loss, lr, 0.0)
        if self.validation is not None:
            record = self._validate(record)
        if self.probe is not None:
            record = replace(record, probe=dict(self.probe(lambda x: predict(self.averaged, self.normaliser(x)))))
        record = replace(record, seconds=time.perf_counter() - started)
        self.history.append(record)
        return record

    def _minibatches(self, epoch: int) -> tuple[float, float]:
        recipe, steps, lr = self.recipe, self.recipe.epochs * self.batches, 0.0
        total = torch.zeros(())
        order = torch.randperm(len(self.x), generator=self.generator)
        self.model.train()
        for number in range(self.batches):
            rows = order[number * self.batch : (number + 1) * self.batch]
            x = self.x[rows]
            if self.augment is not None:
                x = self.normaliser.torch(self.augment(x, self.generator))
            step = epoch * self.batches + number
            lr = recipe.lr * lr_factor(recipe, step, steps)
            set_lr(self.optimizer, lr)
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.model.loss(x, self.y[rows], recipe.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip_norm)
            self.optimizer.step()
            self.model.after_step()
            if self.constraint is not None:
                self.constraint.after_step(self.model, step, steps)
            if recipe.ema:
                self._average(step)
            total += loss.detach()
        mean = float(total) / self.batches
        if not math.isfinite(mean):
            raise EdgeHarError(
                f"the loss became {mean} in epoch {epoch + 1} (seed {self.seed})",
                reason=Reason.VALUE,
                hint="lower the recipe's lr or set clip_norm = 1.0",
            )
        return mean, lr

    def _average(self, step: int) -> None:
        """Update averaged += (1 - decay) (model - averaged), the decay low at first."""
        decay = min(self.recipe.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in self.pairs:
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)
        if self.constraint is not None:  # the average of a weight that just became zero is not zero
            self.constraint.impose(self.averaged)

    def _validate(self, record: Epoch) -> Epoch:
        """Measure on the held-out training subjects; keep the weights if they are the best so far."""
        if self.validation is None or self.validation_x is None:
            return record
        logits = torch.from_numpy(of_head(predict(self.averaged, self.validation_x), len(self.validation.labels)))
        y = torch.from_numpy(self.validation.y)
        accuracy = float((logits.argmax(1) == y).double().mean())
        record = replace(record, validation=accuracy, validation_loss=float(F.cross_entropy(logits, y)))
        if self.constraint is not None and not self.constraint.settled:
            return record
        if self.best_epoch < 0 or _quality(record) > _quality(self.history[self.best_epoch]):
            self.best_epoch = record.epoch
            self.best = {name: t.clone() for name, t in self.averaged.state_dict().items()}
        return record

    def result(self) -> FitResult:
        if self.best:
            self.averaged.load_state_dict(self.best)
        self.averaged.eval()
        chosen = self.best_epoch if self.best else len(self.history) - 1
        seconds = sum(record.seconds for record in self.history)
        return FitResult(self.averaged, self.normaliser, tuple(self.history), chosen, seconds)

    def _identity(self) -> dict[str, Any]:
        """What must be equal for a checkpoint to belong to this training."""
        return {
            "recipe": self.recipe.to_dict(),
            "seed": self.seed,
            "windows": list(self.x.shape),
            "threads": torch.get_num_threads(),  # sums run in another order
        }

    def save(self, path: Path) -> None:
        tensors = {
            **{f"model.{k}": v for k, v in self.model.state_dict().items()},
            **({f"averaged.{k}": v for k, v in self.averaged.state_dict().items()} if self.recipe.ema else {}),
            **{f"best.{k}": v for k, v in self.best.items()},
            **pack_optimizer(self.optimizer),
            "rng.order": self.generator.get_state(),
            "rng.dropout": self.dropout_state,
        }
        state = {
            **self._identity(),
            "best_epoch": self.best_epoch,
            "history": [asdict(record) for record in self.history],
        }
        save_checkpoint(path, tensors, state)

    def resume(self, path: Path) -> None:
        loaded = load_checkpoint(path)
        if loaded is None:
            return
        tensors, state = loaded
        if any(state[key] != json.loads(json.dumps(value)) for key, value in self._identity().items()):
            raise InputError(
                f"checkpoint {path} belongs to another training (recipe, seed, windows or --threads differ)",
                reason=Reason.VALUE,
                hint="train into another directory, or delete that file",
            )
        self.model.load_state_dict(dict(with_prefix(tensors, "model.")))
        if self.recipe.ema:
            self.averaged.load_state_dict(dict(with_prefix(tensors, "averaged.")))
        self.best = dict(with_prefix(tensors, "best."))
        self.best_epoch = state["best_epoch"]
        unpack_optimizer(self.optimizer, tensors)
        self.generator.set_state(tensors["rng.order"])
        self.dropout_state = tensors["rng.dropout"]
        self.history = [Epoch(**record) for record in state["history"]]


def _quality(record: Epoch) -> tuple[float, float]:
    """Higher accuracy is better; between equals, lower cross-entropy."""
    return record.validation or 0.0, -(record.validation_loss or 0.0)
