"""How fast the L2MU trains: epochs a second of the fused step and of the same network looped over snntorch neurons.

    python benchmarks/train_speed_l2mu.py

One epoch is one pass over the 28,485 two-second windows (40 samples, 6 channels) of the seven hand activities of
WISDM 2019, one thread: loss, gradients, clipping and AdamW, without augmentation. The windows are random numbers, so
the firing rates are those of untrained weights. The two are timed in turn, in processor time: other load hardly counts.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor
from train_speed import report, time_in_turn

from edgehar.models.l2mu import L2MU
from edgehar.models.l2mu_reference import reference_run

WINDOWS, STEPS, CHANNELS, CLASSES = 28_485, 40, 6, 7


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
    models: dict[str, L2MU] = {}
    for name, kind in {"fused": L2MU, "snntorch_loop": LoopedL2MU}.items():
        torch.manual_seed(0)
        models[name] = kind.build(channels=CHANNELS, classes=CLASSES, window=STEPS, hidden=arguments.hidden).train()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(arguments.batch, STEPS, CHANNELS, generator=generator)
    y = torch.randint(0, CLASSES, (arguments.batch,), generator=generator)
    seconds = time_in_turn(models, x, y, arguments.rounds)
    report("l2mu", seconds, arguments, vars(parser.parse_args([])), WINDOWS)


if __name__ == "__main__":
    main()
