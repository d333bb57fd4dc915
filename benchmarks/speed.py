"""How fast decisions are beside LiteRT and ONNX Runtime, in one run: rows of benchmarks/results/speed.jsonl.

    python benchmarks/speed.py [--l2mu BUNDLE] [--only fastgrnn,cnn,l2mu,streams]

One thread on one core, processor time, the contestants in turn; outputs are checked against the reference first.
Peers run a whole window for every decision, in their fastest setting; edgehar runs a hop of window/8 samples.
FastGRNN (80 hidden, 9 channels, 128 samples) and the CNN have random weights, which cost as much as trained ones.
A spiking model's cost is that of its spikes: --l2mu takes a trained one (16 memories of order 4, 80 hidden), whose
spike rates, and how many spikes change from sample to sample, are in the row; without it there is no L2MU row.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

# BLAS, which measures the peak, must not have a second thread that the clock of this one does not see.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
from rows import RESULTS, ROOT, Row, merge_rows
from tuned_c import tuned_fastgrnn

sys.path.insert(0, str(ROOT / "tests"))
from factories import conv, random_bundle  # type: ignore[import-not-found]
from quantised import quantised  # type: ignore[import-not-found]

from edgehar.bench.latency import HOP, WINDOW, Latency, measure_latency
from edgehar.bench.single_samples import LAST
from edgehar.bench.streams import measure_streams
from edgehar.bench.timing import time_in_turn
from edgehar.bundle import Bundle, open_bundle
from edgehar.cli.desk import DESK
from edgehar.graph.convplan import plan_convnet
from edgehar.pipeline import Pipeline
from edgehar.runtimes import make_runtime
from edgehar.runtimes.cells.l2mu import L2MUCell
from edgehar.runtimes.kernels.convnet import short_layers
from edgehar.types import Chunk, StreamSpec

SAMPLES, CHANNELS, HIDDEN, CLASSES = 128, 9, 80, 6
LOW_RANK = {"rank_w": 5, "rank_u": 16}
BLOCK, BLOCKS_KEPT = 16, 0.1
ROUNDS = 25
STREAMED_S = 60.0
DONE = {0: 1.0, 2: 2 / 3, 4: 1 / 2}
"""Share of a convolution's multiply-adds that is done, by the columns that are made at once."""
CHANGES_WINDOWS = 32
PART = 512
"""Samples between two looks at a bare step."""


def main() -> None:
    """Measure and merge the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--l2mu", type=Path, help="a trained L2MU bundle; its hop is set to window/8")
    parser.add_argument("--only", default="fastgrnn,cnn,l2mu,streams")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.jsonl")
    arguments = parser.parse_args()
    only = arguments.only.split(",")
    if "fastgrnn" in only:
        merge_rows(arguments.out, _fastgrnn())
    if "cnn" in only:
        merge_rows(arguments.out, _cnn())
    if "streams" in only:
        for hidden, streams in ((16, 100_000), (80, 40_000)):
            merge_rows(arguments.out, [_streams(hidden, streams)])
    if "l2mu" in only and arguments.l2mu:
        merge_rows(arguments.out, _l2mu(arguments.l2mu))


def fastgrnn_bundle(**options: int) -> Bundle:
    """FastGRNN with 80 hidden units; `options` change its shape or how many golden windows it has."""
    size = {"window": SAMPLES, "hop": SAMPLES // 8, "channels": CHANNELS, "classes": CLASSES, "hidden": HIDDEN}
    bundle: Bundle = random_bundle("fastgrnn", **{**size, "golden_windows": 64, **options})
    return bundle


def _fastgrnn() -> list[Row]:
    bundle = fastgrnn_bundle()
    peers = ["litert", "ort", "torch"]
    told = measure_latency(bundle, peers, DESK, also=tuned_fastgrnn(bundle), rounds=ROUNDS)
    flop = 2 * SAMPLES * HIDDEN * (HIDDEN + CHANNELS)
    hop, lanes = told.hop, SAMPLES // told.hop
    flop_of_a_hop = 2 * hop * HIDDEN * (lanes * HIDDEN + CHANNELS)  # gates are not counted
    return [
        _ratio("speed.fastgrnn80.hop.vs_litert", told, "litert", HOP),
        _ratio("speed.fastgrnn80.hop.vs_ort", told, "ort", HOP),
        _ratio("speed.fastgrnn80.hop.vs_torch", told, "torch", HOP),
        *(
            [
                _ratio("speed.fastgrnn80.hop.vs_tuned_c", told, "tuned C", HOP),
                _ratio("speed.fastgrnn80.window.vs_tuned_c", told, "tuned C", WINDOW),
            ]
            if "tuned C" in told.peers
            else []
        ),
        _ratio("speed.fastgrnn80.last_sample.vs_litert", told, "litert", LAST),
        _roofline("speed.roofline.fastgrnn80", told, flop),
        _roofline("speed.roofline.fastgrnn80.hop", told, flop_of_a_hop, HOP),
        *_smaller_fastgrnn(),
        _push_over_step(bundle),
    ]


def _smaller_fastgrnn() -> list[Row]:
    """The same cell with fewer multiply-adds: matrices of low rank, and nine of ten 16x1 blocks of U that are zero."""
    low, block = fastgrnn_bundle(**LOW_RANK), _with_empty_blocks(fastgrnn_bundle())
    rows = []
    for name, bundle, extras in (("lowrank", low, LOW_RANK), ("block90", block, {"blocks_kept": BLOCKS_KEPT})):
        told = measure_latency(bundle, ["litert"], DESK, rounds=ROUNDS)
        rows.append(_ratio(f"speed.fastgrnn{HIDDEN}_{name}.hop.vs_litert", told, "litert", HOP, extras))
    return rows


def _with_empty_blocks(bundle: Bundle) -> Bundle:
    """A share of `BLOCKS_KEPT` of U's blocks of 16 outputs x 1 input is kept, the reference's logits made anew."""
    u = bundle.weights["U"].copy()  # [outputs, inputs]
    kept = np.random.default_rng(1).random((len(u) // BLOCK, u.shape[1])) < BLOCKS_KEPT
    u *= np.repeat(kept, BLOCK, axis=0)
    pruned = replace(bundle, weights={**bundle.weights, "U": u})
    reference = make_runtime("reference", pruned)
    windows = np.asarray(bundle.golden["x"], np.float32)
    return replace(pruned, golden={**bundle.golden, "logits": np.stack([reference.window(x) for x in windows])})


def cnn_bundle() -> Bundle:
    """The package's own `cnn` in its defaults: 50,502 parameters."""

    def block(name: str, width: int) -> dict[str, object]:
        return {"op": "residual", "body": [conv(name, width, 3, relu=False)]}

    layers = [
        conv("stem", 48, 5, 2), block("a", 48), block("b", 48),
        conv("stage", 64, 3, 2), block("c", 64), block("d", 64),
        {"op": "mean"}, {"op": "linear", "name": "fc"},
    ]  # fmt: skip
    size = {"window": SAMPLES, "hop": SAMPLES // 8, "channels": CHANNELS, "classes": CLASSES}
    bundle: Bundle = random_bundle("cnn", **size, layers=layers, golden_windows=64)
    return bundle


def _cnn() -> list[Row]:
    """LiteRT's int8 races our float32 and our int8.

    The roofline counts the multiply-adds that are done, fewer than a convolution's own where columns come in groups.
    """
    bundle = cnn_bundle()
    plan = plan_convnet(bundle.manifest.model, SAMPLES)
    columns, flop = SAMPLES, 0.0
    for c, (size, lead) in zip(plan.convs, short_layers(plan, bundle.manifest), strict=True):
        columns = (columns - c.kernel) // c.stride + 1
        products = lead * DONE[2] + (columns - lead) * DONE[size]
        flop += 2 * products * c.kernel * c.inputs * c.out
    in_int8 = quantised(bundle, "int8")
    told = measure_latency(bundle, ["litert", "ort", "torch"], DESK, rounds=ROUNDS)
    told8 = measure_latency(bundle, ["litert"], DESK, peer_bundle=in_int8, rounds=ROUNDS)
    both8 = measure_latency(in_int8, ["litert"], DESK, rounds=ROUNDS)
    return [
        _ratio("speed.cnn.hop.vs_litert_f32", told, "litert", HOP),
        _ratio("speed.cnn.hop.vs_ort_f32", told, "ort", HOP),
        _ratio("speed.cnn.hop.vs_torch_f32", told, "torch", HOP),
        _ratio("speed.cnn.hop.vs_litert_int8", told8, "litert", HOP, {"ours_dtype": "float32"}),
        _ratio("speed.cnn_int8.hop.vs_litert_int8", both8, "litert", HOP, {"ours_dtype": "int8"}),
        _roofline("speed.roofline.cnn", told, flop),
    ]


def _l2mu(path: Path) -> list[Row]:
    bundle = open_bundle(path)
    window = bundle.manifest.window
    bundle = replace(bundle, manifest=replace(bundle.manifest, hop=window // 8))
    told = measure_latency(bundle, ["litert", "ort"], DESK, rounds=ROUNDS)
    counted = make_runtime("numba", bundle)
    counted.push(bundle.golden["x"].reshape(-1, bundle.golden["x"].shape[2]).astype(np.float32))
    rates = {name: round(rate, 4) for name, rate in counted.spike_rates().items()}
    model = {k: v for k, v in bundle.manifest.model.items() if k in ("memory", "order", "hidden", "inputs", "encoder")}
    extras = {
        "spike_rates": rates,
        "changes": _changes(bundle),
        "model": model,
        "bundle": bundle.manifest.model_id,
    }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = [_ratio(f"speed.l2mu.hop.vs_{peer}", told, peer, HOP, extras) for peer in ("litert", "ort")]
    return [replace(row, command=f"{_command()} --l2mu {path.name}", bundle_sha256=digest) for row in rows]


def _changes(bundle: Bundle) -> dict[str, float]:
    """Share of a population's neurons that begin or cease to fire at a sample: the events that cost something."""
    cell = L2MUCell(bundle.manifest.model, bundle.weights)
    changed: dict[str, list[float]] = {}
    for window in np.asarray(bundle.golden["x"][:CHANGES_WINDOWS], np.float32):
        state = cell.start()
        for x in window:
            before = dict(state.spikes)
            state = cell.step(state, x)
            for p, spikes in state.spikes.items():
                changed.setdefault(p, []).append(float(np.mean(spikes != before[p])))
    return {p: round(float(np.mean(shares)), 4) for p, shares in changed.items()}


def _streams(hidden: int, streams: int) -> Row:
    """Streams that one core sustains, by processor time: a minute of so many at 50 Hz, six channels, 128/64."""
    normalize = [{"op": "normalize", "mean": [0.1] * 6, "std": [1.5] * 6}]
    bundle = random_bundle(
        "fastgrnn", window=SAMPLES, hop=SAMPLES // 2, channels=6, classes=CLASSES, hidden=hidden, preprocess=normalize
    )
    told = measure_streams(bundle, streams, STREAMED_S)
    command = f"{_command()} --only streams"
    extras = {k: v for k, v in told.json().items() if k not in ("machine", "capacity")}
    extras |= {"load": told.machine["load"], "source": "SIMULATED noise, made outside the measured time"}
    return Row(f"speed.streams.fastgrnn{hidden}", round(told.capacity), "streams", 0.0, 1, command, extras=extras)


def _ratio(name: str, told: Latency, peer: str, ours: str, extras: Mapping[str, object] | None = None) -> Row:
    best = told.best(peer)
    mine, other = told.timings[ours], told.timings[best]
    more = {
        "ours_cpu_us": round(mine.cpu_us, 3), "peer_cpu_us": round(other.cpu_us, 3),
        "ours_wall_us": round(mine.wall_us, 3), "peer_wall_us": round(other.wall_us, 3),
        "ours_wall_p99_us": round(mine.wall_p99_us, 3), "peer_wall_p99_us": round(other.wall_p99_us, 3),
        "ours": ours, "peer": told.settings[best], "window": told.window, "hop": told.hop, "load": told.machine["load"],
    }  # fmt: skip
    merged = {**more, **(extras or {})}
    return Row(name, round(other.cpu_us / mine.cpu_us, 2), "x", 0.0, ROUNDS, _command(), extras=merged)


def _roofline(name: str, told: Latency, flop: float, what: str = WINDOW) -> Row:
    """Share of the multiply-adds that a large float32 product of NumPy's BLAS reaches on this core, call included."""
    peak = _peak_flops()
    reached = flop / told.timings[what].cpu_us * 1e6
    extras = {"gflops": round(reached / 1e9, 1), "peak_gflops": round(peak / 1e9, 1),
              "ours_cpu_us": round(told.timings[what].cpu_us, 3)}  # fmt: skip
    return Row(name, round(100 * reached / peak, 1), "%", 0.0, ROUNDS, _command(), extras=extras)


def _push_over_step(bundle: Bundle) -> Row:
    """One sample through the whole pipeline, over one step of the kernel: a hop's time by its samples.

    Both are timed every `PART` samples, since a shared machine has slow seconds; the row's value is the median ratio.
    Pushes that decide stand apart. Times that jitter by up to 6 ms, which the resampler has to interpolate, stand
    beside it.
    """
    pushes = list(_pushes(bundle, jitter_ns=0, part=PART))
    jittered = list(_pushes(bundle, jitter_ns=6_000_000, part=PART))
    step, between, deciding = (np.median([push[k] for push in pushes]) for k in range(3))
    ratio = np.median([push.between_us / push.step_us for push in pushes])
    extras = {"push_us": round(between, 2), "push_decides_us": round(deciding, 2), "step_us": round(step, 3),
              "push_jittered_us": round(np.median([push.between_us for push in jittered]), 2)}  # fmt: skip
    n = bundle.golden["x"][..., 0].size
    return Row("speed.push_over_step", round(ratio, 1), "x", 0.0, n, _command(), extras=extras)


class Pushes(NamedTuple):
    """Medians of a part: a bare step by processor time; pushes that complete no window, and those that decide."""

    step_us: float
    between_us: float
    deciding_us: float


def _pushes(bundle: Bundle, jitter_ns: int, part: int) -> Iterator[Pushes]:
    contract, hop = bundle.manifest.contract, bundle.manifest.hop
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units)
    samples = bundle.golden["x"].reshape(-1, 1, CHANNELS).astype(np.float32)
    pipeline, runtime = Pipeline(bundle), make_runtime("numba", bundle)
    hops = cycle(np.split(samples.reshape(-1, CHANNELS), len(samples) // hop))
    late = np.random.default_rng(0).integers(0, jitter_ns + 1, len(samples)).tolist()
    for first in range(0, len(samples), part):
        taken: dict[bool, list[float]] = {True: [], False: []}
        for i in range(first, min(first + part, len(samples))):
            t = np.array([i * 20_000_000 + late[i]], np.int64)
            chunk = Chunk(spec, t, t, np.array([i]), samples[i], np.zeros(1, np.uint16))
            start = time.perf_counter_ns()
            decided = bool(pipeline.push(chunk))
            taken[decided].append((time.perf_counter_ns() - start) / 1e3)
        step = time_in_turn({"hop": lambda: runtime.push(next(hops))}, rounds=5, singles=1)["hop"].cpu_us / hop
        if first > 0:  # the first part warms up
            yield Pushes(step, float(np.median(taken[False])), float(np.median(taken[True])))


def _peak_flops() -> float:
    n = 512
    a, b = np.random.default_rng(0).standard_normal((2, n, n)).astype(np.float32)
    out = np.empty_like(a)
    timing = time_in_turn({"gemm": lambda: np.matmul(a, b, out=out)}, rounds=ROUNDS, singles=10)["gemm"]
    return 2 * n**3 / timing.cpu_us * 1e6


def _command() -> str:
    return "python benchmarks/speed.py"


if __name__ == "__main__":
    main()
