"""How fast FastGRNN trains: epochs a second of the fused step and of the same loop in torch operations.

    python benchmarks/train_speed_fastgrnn.py

One epoch is one pass over UCI HAR's 7,352 training windows of 128 samples and 9 channels, H = 80, full matrices,
batch 128, one thread: loss, gradients, clipping and AdamW, without augmentation. The windows are random numbers: the
work does not depend on them. Seconds are of processor time and the two are timed in turn: other load on the machine
hardly counts and meets both.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from train_speed import report, time_in_turn

from edgehar.models.fastgrnn import FastGRNN
from edgehar.train.kernels.fastgrnn import fastgrnn_states_plain

WINDOWS, STEPS, CHANNELS, CLASSES, HIDDEN = 7352, 128, 9, 6, 80


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
    parser.add_argument("--rounds", type=int, default=30, help="minibatches timed of each kind, after one to warm up")
    arguments = parser.parse_args()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(arguments.batch, STEPS, CHANNELS, generator=generator)
    y = torch.randint(CLASSES, (arguments.batch,), generator=generator)
    models = {
        name: kind.build(channels=CHANNELS, classes=CLASSES, window=STEPS, hidden=HIDDEN)
        for name, kind in {"fused": FastGRNN, "plain": PlainFastGRNN}.items()
    }
    seconds = time_in_turn(models, x, y, arguments.rounds)
    report("fastgrnn", seconds, arguments, vars(parser.parse_args([])), WINDOWS)


if __name__ == "__main__":
    main()
