"""How fast FastGRNN trains: epochs a second of the fused step and of the same loop in torch operations.

    python benchmarks/train_speed_fastgrnn.py

One epoch is one pass over UCI HAR's 7,352 training windows of 128 samples and 9 channels, H = 80, full matrices,
batch 128, one thread: loss, gradients, clipping and AdamW, without augmentation. The windows are random numbers: the
work does not depend on them. Seconds are of processor time and the two are timed in turn: other load on the machine
hardly counts and meets both.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from rows import RESULTS, Row, merge_rows
from torch import Tensor

from edgehar.models.fastgrnn import FastGRNN
from edgehar.train.kernels.fastgrnn import fastgrnn_states_plain

WINDOWS, STEPS, CHANNELS, CLASSES, HIDDEN = 7352, 128, 9, 6, 80
COMMAND = "python benchmarks/train_speed_fastgrnn.py"


class PlainFastGRNN(FastGRNN):
    """The same model without the fused step."""

    def states(self, x: Tensor) -> Tensor:
        """Hidden states [w, b, h] of x [b, w, c]."""
        zeta, nu = torch.sigmoid(self.zeta), torch.sigmoid(self.nu)
        return fastgrnn_states_plain(x.transpose(0, 1), self.w(), self.u(), self.b_z, self.b_h, zeta, nu)


def main() -> None:
    """Time both and merge the rows into benchmarks/results/train_speed.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=10, help="minibatches timed of each kind, after one to warm up")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"fused": FastGRNN, "plain": PlainFastGRNN}
    seconds = time_in_turn(kinds, batch=arguments.batch, rounds=arguments.rounds)
    rows = []
    for name, times in seconds.items():
        per_second = [arguments.batch / (WINDOWS * s) for s in times]
        rows.append(
            Row(
                id=f"train_speed.fastgrnn.{name}",
                value=round(statistics.median(per_second), 3),
                unit="epochs/s",
                std=round(statistics.stdev(per_second), 3),
                n=len(times),
                command=COMMAND,
                extras={"batch": arguments.batch, "threads": 1},
            )
        )
        print(f"{name}: {rows[-1].value} epochs/s, {1 / rows[-1].value:.2f} s an epoch")
    merge_rows(RESULTS / "train_speed.jsonl", rows)


def time_in_turn(kinds: dict[str, type[FastGRNN]], *, batch: int, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of each training step, the first of each kind left out."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, STEPS, CHANNELS, generator=generator)
    y = torch.randint(CLASSES, (batch,), generator=generator)
    models = {
        name: kind.build(channels=CHANNELS, classes=CLASSES, window=STEPS, hidden=HIDDEN)
        for name, kind in kinds.items()
    }
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-3) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):
        for name, model in models.items():
            started = time.process_time()
            optimizers[name].zero_grad(set_to_none=True)
            model.loss(x, y).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[name].step()
            seconds[name].append(time.process_time() - started)
    return {name: times[1:] for name, times in seconds.items()}


if __name__ == "__main__":
    main()
