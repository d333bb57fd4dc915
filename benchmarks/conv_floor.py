"""What a hop of the CNN costs at least on this CPU: row speed.cnn.hop.floor of benchmarks/results/speed.jsonl.

    python benchmarks/conv_floor.py

Every layer takes as long as its multiply-adds, or as its weights take from L2 where that is longer; both at the rates
that a loop of nothing else reaches here. Beside it stands a push whose kernel returns at once: Python's calls, the
samples' copy and those of the outputs.
"""

from __future__ import annotations

import argparse
from itertools import cycle
from pathlib import Path

import numpy as np
from numba import njit
from rows import RESULTS, Row, merge_rows
from speed import DONE, ROUNDS, SAMPLES, cnn_bundle

from edgehar.bench.timing import machine, pinned, time_in_turn
from edgehar.graph.convplan import plan_convnet
from edgehar.machine_code.bind import bind
from edgehar.runtimes.kernel_stream import KernelStream, outer_arguments
from edgehar.runtimes.kernels.conv_tile import LOWEST, convolve
from edgehar.runtimes.kernels.convnet import short_layers
from edgehar.runtimes.kernels.simd import aligned
from edgehar.runtimes.kernels.vector import WIDTH
from edgehar.types import FloatArray, IntArray

REPEATED = 200
COLUMNS, OUT, INNER = 8, 48, 128
LINE = 16
"""Values of a cache line."""


@njit(nogil=True)
def multiply(out: FloatArray, matrix: FloatArray, x: FloatArray, zeros: FloatArray, repeated: int) -> None:
    """The largest tile on a matrix that stays in L1."""
    for _ in range(repeated):
        convolve(out, 0, OUT, zeros, 0, zeros, 0, 0, matrix, 0, OUT, x, 0, INNER, COLUMNS, INNER, LOWEST)


@njit(nogil=True, fastmath=True)
def read(values: FloatArray, repeated: int) -> np.float32:
    """Every value once, as many times as asked for."""
    total = np.float32(0)
    for k in range(repeated):
        for i in range(len(values)):
            total += values[i]
        values[0] = k
    return total


def nothing(x: FloatArray, t: int, ends: IntArray, logits: FloatArray) -> None:
    """A kernel that is called as every other."""


def main() -> None:
    """Measure and merge the row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.jsonl")
    out = parser.parse_args().out
    bundle = cnn_bundle()
    manifest = bundle.manifest
    plan = plan_convnet(manifest.model, SAMPLES)
    layers = []  # registers of multiply-adds, lines of weights
    new = manifest.hop
    for c, (size, _) in zip(plan.convs, short_layers(plan, manifest), strict=True):
        new //= c.stride
        lines = c.kernel * c.inputs * c.out / LINE
        layers.append((lines * LINE / WIDTH * new * DONE[size], lines * ((size + 2) / 3 if size else 1)))
    weights = aligned(int(sum(lines for _, lines in layers)) * LINE)
    tile = aligned(COLUMNS * OUT + WIDTH), aligned(INNER * OUT), aligned(COLUMNS * INNER), aligned(OUT + WIDTH)
    x, ends, logits = outer_arguments(manifest)
    call = bind("conv_floor.nothing", (x, 0, ends, logits), lambda: njit(nothing))
    if call is None:
        raise SystemExit("machine code cannot be kept here: set NUMBA_CACHE_DIR to a place that can be written")
    stream = KernelStream(call, (), (), manifest)
    samples = bundle.golden["x"].astype(np.float32).reshape(-1, x.shape[1])
    hops = cycle(np.split(samples, len(samples) // manifest.hop))
    multiply(*tile, 1)
    read(weights, 1)
    with pinned():
        told = time_in_turn(
            {
                "multiply": lambda: multiply(*tile, REPEATED),
                "read": lambda: read(weights, REPEATED),
                "push": lambda: stream.push(next(hops)),
            },
            rounds=ROUNDS,
        )
    multiply_us = told["multiply"].cpu_us / (REPEATED * COLUMNS * OUT / WIDTH * INNER)
    line_us = told["read"].cpu_us / (REPEATED * len(weights) / LINE)
    kernel_us = sum(max(registers * multiply_us, lines * line_us) for registers, lines in layers)
    push_us = told["push"].cpu_us
    extras = {
        "kernel_us": round(kernel_us, 2), "push_us": round(push_us, 2),
        "peak_gflops": round(2e-3 * WIDTH / multiply_us, 1), "l2_gb_per_s": round(64e-3 / line_us, 1),
        "weights_kib": round(weights.nbytes / 1024), "load": machine()["load"],
    }  # fmt: skip
    command = "python benchmarks/conv_floor.py"
    value = round(kernel_us + push_us, 2)
    merge_rows(out, [Row("speed.cnn.hop.floor", value, "us", 0.0, ROUNDS, command, extras=extras)])


if __name__ == "__main__":
    main()
