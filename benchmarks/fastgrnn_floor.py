"""What a hop of FastGRNN costs at least on this CPU: row speed.fastgrnn80.hop.floor of benchmarks/results/speed.jsonl.

    python benchmarks/fastgrnn_floor.py

Its multiply-adds at the rate that the largest tile reaches on a matrix that stays in L1, its gates at the rate that
they reach alone, and a push whose kernel returns at once. The first two cannot overlap: the gates want the same units.
"""

from __future__ import annotations

import argparse
from itertools import cycle
from pathlib import Path

import numpy as np
from conv_floor import nothing
from numba import njit
from rows import RESULTS, Row, merge_rows
from speed import CHANNELS, HIDDEN, ROUNDS, SAMPLES, fastgrnn_bundle

from edgehar.bench.timing import machine, pinned, time_in_turn
from edgehar.machine_code.bind import bind
from edgehar.runtimes.kernel_stream import KernelStream, outer_arguments
from edgehar.runtimes.kernels.fastgrnn_gates import gates, unit_rows
from edgehar.runtimes.kernels.simd import aligned, vectors_of
from edgehar.runtimes.kernels.tiles import dense_tile
from edgehar.runtimes.kernels.vector import TALLEST, WIDTH
from edgehar.types import FloatArray

REPEATED = 200
TILE_VECTORS, INNER = 3, 64


@njit(nogil=True)
def multiply(out: FloatArray, matrix: FloatArray, x: FloatArray, repeated: int) -> None:
    """The largest tile, over and over."""
    size = TILE_VECTORS * WIDTH
    for _ in range(repeated):
        dense_tile(TALLEST, TILE_VECTORS, out, 0, size, out, 0, size, matrix, 0, size, x, 0, INNER, out, 0, INNER)


@njit(nogil=True)
def gate(h: FloatArray, s: FloatArray, units: FloatArray, rows: int, vectors: int, repeated: int) -> None:
    """The gates of `rows` states, over and over."""
    for _ in range(repeated):
        gates(h, 0, s, 0, units, 0, rows, vectors, np.float32(0.8), np.float32(0.1))


def main() -> None:
    """Measure and merge the row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.jsonl")
    out = parser.parse_args().out
    bundle = fastgrnn_bundle(golden_windows=16)
    hop, lanes, vectors = bundle.manifest.hop, SAMPLES // bundle.manifest.hop, vectors_of(HIDDEN, WIDTH)
    x, ends, logits = outer_arguments(bundle.manifest)
    call = bind("conv_floor.nothing", (x, 0, ends, logits), lambda: njit(nothing))
    if call is None:
        raise SystemExit("machine code cannot be kept here: set NUMBA_CACHE_DIR to a place that can be written")
    stream = KernelStream(call, (), (), bundle.manifest)
    samples = bundle.golden["x"].astype(np.float32).reshape(-1, CHANNELS)
    hops = cycle(np.split(samples, len(samples) // hop))
    size = TILE_VECTORS * WIDTH
    tile = aligned((TALLEST + 1) * size), aligned(INNER * size), aligned(TALLEST * INNER)
    rng = np.random.default_rng(0)
    states, sums, units = (
        aligned(lanes * vectors * WIDTH),
        aligned(lanes * vectors * WIDTH),
        aligned(2 * vectors * WIDTH),
    )
    sums[:] = rng.standard_normal(len(sums))
    units[:] = unit_rows(*rng.standard_normal((2, vectors * WIDTH)).astype(np.float32)).ravel()
    multiply(*tile, 1)
    gate(states, sums, units, lanes, vectors, 1)
    with pinned():
        told = time_in_turn(
            {
                "multiply": lambda: multiply(*tile, REPEATED),
                "gate": lambda: gate(states, sums, units, lanes, vectors, REPEATED),
                "push": lambda: stream.push(next(hops)),
            },
            rounds=ROUNDS,
        )
    multiply_us = told["multiply"].cpu_us / (REPEATED * TALLEST * TILE_VECTORS * INNER)
    products_us = multiply_us * hop * vectors * (lanes * HIDDEN + CHANNELS)
    gates_us, push_us = hop * told["gate"].cpu_us / REPEATED, told["push"].cpu_us
    extras = {
        "products_us": round(products_us, 2), "gates_us": round(gates_us, 2), "push_us": round(push_us, 2),
        "peak_gflops": round(2e-3 * WIDTH / multiply_us, 1), "load": machine()["load"],
    }  # fmt: skip
    command = "python benchmarks/fastgrnn_floor.py"
    value = round(products_us + gates_us + push_us, 2)
    merge_rows(out, [Row("speed.fastgrnn80.hop.floor", value, "us", 0.0, ROUNDS, command, extras=extras)])


if __name__ == "__main__":
    main()
