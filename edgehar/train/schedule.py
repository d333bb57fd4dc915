"""The learning rate and the optimizer that a recipe asks for."""

from __future__ import annotations

import math
from typing import Any

import torch

from edgehar.train.recipe import Recipe

ONECYCLE_START = 1 / 25
ONECYCLE_END = 1 / 250_000


def lr_factor(recipe: Recipe, step: int, steps: int) -> float:
    """The fraction of the peak learning rate used at minibatch `step` of `steps`; a pure function, so it resumes.

    >>> [lr_factor(Recipe(schedule="step", step_at=(0.5,)), step, 4) for step in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    if recipe.schedule == "constant":
        return 1.0
    done = step / steps
    if recipe.schedule == "step":
        return recipe.step_factor ** sum(done >= at for at in recipe.step_at)
    start, end = (ONECYCLE_START, ONECYCLE_END) if recipe.schedule == "onecycle" else (0.0, 0.0)
    climb = recipe.warmup * steps
    if step < climb:
        return start + (1 - start) * _half_cosine((step + 1) / climb)
    return 1 + (end - 1) * _half_cosine((step - climb) / max(1.0, steps - climb))


def _half_cosine(fraction: float) -> float:
    """0 to 1 along half a cosine as fraction goes from 0 to 1."""
    return (1 - math.cos(math.pi * min(1.0, fraction))) / 2


def make_optimizer(recipe: Recipe, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The recipe's optimizer over parameter groups, each of which already has its weight decay."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    if recipe.optimizer == "nadam":
        return torch.optim.NAdam(groups, lr=recipe.lr, decoupled_weight_decay=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.lr)
    return torch.optim.AdamW(groups, lr=recipe.lr)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set every group's learning rate, each times its own `lr_factor` if it has one."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_factor", 1.0)
