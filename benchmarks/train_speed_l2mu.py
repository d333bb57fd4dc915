"""How fast the L2MU trains: epochs a second of the fused step and of the same network looped over snntorch neurons.

    python benchmarks/train_speed_l2mu.py

One epoch is one pass over the 28,485 two-second windows (40 samples, 6 channels) of the seven hand activities of
WISDM 2019, one thread: loss, gradients, clipping and AdamW, without augmentation. The windows are random numbers, so
the firing rates are those of untrained weights. The two are timed in turn, in processor time: other load hardly counts.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from rows import RESULTS, Row, merge_rows
from torch import Tensor

from edgehar.models.l2mu import L2MU
from edgehar.models.l2mu_reference import reference_run

WINDOWS, STEPS, CHANNELS, CLASSES = 28_485, 40, 6, 7
COMMAND = "python benchmarks/train_speed_l2mu.py"


class LoopedL2MU(L2MU):
    """The same model without the fused step."""

    def run(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return reference_run(self, x)


def main() -> None:
    """Time both and merge the rows into benchmarks/results/train_speed.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=30, help="minibatches timed of each kind, after one to warm up")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seconds = time_in_turn(batch=arguments.batch, hidden=arguments.hidden, rounds=arguments.rounds)
    rows = []
    for name, times in seconds.items():
        per_second = [arguments.batch / (WINDOWS * s) for s in times]
        rows.append(
            Row(
                id=f"train_speed.l2mu.{name}",
                value=round(statistics.median(per_second), 4),
                unit="epochs/s",
                std=round(statistics.stdev(per_second), 4),
                n=len(times),
                command=COMMAND,
                extras={"batch": arguments.batch, "hidden": arguments.hidden, "threads": 1},
            )
        )
        print(f"{name}: {1 / rows[-1].value:.2f} s an epoch")
    merge_rows(RESULTS / "train_speed.jsonl", rows)


def time_in_turn(*, batch: int, hidden: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each minibatch of the fused model and of the looped one."""
    models: dict[str, L2MU] = {}
    for name, kind in {"fused": L2MU, "snntorch_loop": LoopedL2MU}.items():
        torch.manual_seed(0)
        models[name] = kind.build(channels=CHANNELS, classes=CLASSES, window=STEPS, hidden=hidden).train()
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-3) for name, model in models.items()}
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, STEPS, CHANNELS, generator=generator)
    y = torch.randint(0, CLASSES, (batch,), generator=generator)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for number in range(rounds + 1):
        for name, model in models.items():
            started = time.process_time()
            optimizers[name].zero_grad(set_to_none=True)
            model.loss(x, y).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[name].step()
            if number > 0:  # the first compiles
                seconds[name].append(time.process_time() - started)
    return seconds


if __name__ == "__main__":
    main()
