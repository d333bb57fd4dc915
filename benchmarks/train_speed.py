"""Times training steps of the same model in turn; what `train_speed_*.py` share."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch
from rows import RESULTS, Row, merge_rows
from torch import Tensor

from edgehar.models.base import Model


def time_in_turn(models: Mapping[str, Model], x: Tensor, y: Tensor, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each training step on the minibatch x [b, w, c], y [b], after one to warm up.

    A step is loss, gradients, clipping and AdamW, on one thread.
    """
    torch.set_num_threads(1)
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-3) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(rounds + 1):
        for name, model in models.items():
            started = time.process_time()
            optimizers[name].zero_grad(set_to_none=True)
            model.loss(x, y).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[name].step()
            seconds[name].append(time.process_time() - started)
    return {name: times[1:] for name, times in seconds.items()}


def report(
    model: str,
    seconds: Mapping[str, list[float]],
    arguments: argparse.Namespace,
    plain: Mapping[str, Any],
    windows: int,
) -> None:
    """Print epochs of `windows` windows; rows are written where the command line says what is `plain`, its defaults."""
    rows = []
    for name, times in seconds.items():
        per_second = [arguments.batch / (windows * s) for s in times]
        rows.append(
            Row(
                id=f"train_speed.{model}.{name}",
                value=round(statistics.median(per_second), 4),
                unit="epochs/s",
                std=round(statistics.stdev(per_second), 4),
                n=len(times),
                command=f"python benchmarks/train_speed_{model}.py",
                extras={**{key: value for key, value in plain.items() if key != "rounds"}, "threads": 1},
            )
        )
        print(f"{name}: {rows[-1].value} epochs/s, {1 / rows[-1].value:.2f} s an epoch")
    if vars(arguments) == dict(plain):
        merge_rows(RESULTS / "train_speed.jsonl", rows)
    else:
        print("other settings than the rows': nothing was written", file=sys.stderr)
