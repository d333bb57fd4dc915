"""How many instructions a Cortex-M4F executes per sample: C modules run in QEMU, which counts them. Not cycles.

    python benchmarks/mcu.py [--l2mu BUNDLE]

Instructions of `eh_core_step`, which takes one preprocessed sample through one window's model; compiled as
`edgehar verify` does, with -O2. Every run's logits are compared with the reference's before a row is written.

Weights are seeded random numbers: without zeros, or with blocks of zeros at random places, a step executes the same
instructions whatever the weights are. Only the spiking model's count depends on how often its neurons fire. Its
thresholds are therefore moved until memory and hidden neurons fire as those of the L2MUs trained on WISDM do, in 5 % of
all steps; the rates that came out of its integers stand in the row. `--l2mu` adds the rows of a trained one on its
golden windows, a bundle of `benchmarks/accuracy.py acc.wisdm7.l2mu.subject`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rows import RESULTS, Row, merge_rows

from edgehar.boards.qemu import Calls
from edgehar.boards.targets import find_target
from edgehar.boards.toolchain import Run, run_program
from edgehar.bundle import Bundle, Contract, Manifest, open_bundle
from edgehar.compress.calibration import choose
from edgehar.errors import EdgeHarError, Reason
from edgehar.export.c.emit import CExport, emit_c
from edgehar.export.c.harness import MAIN, decode, encode
from edgehar.graph.execute import run_graph
from edgehar.graph.intexecute import run_int_graph
from edgehar.models.legendre import discretise
from edgehar.runtimes import make_runtime
from edgehar.runtimes.lowered import graph_of, int_graph_of
from edgehar.types import FloatArray

CHANNELS, CLASSES, WINDOW, HOP = 6, 7, 40, 20
WINDOWS = 4
FIRING_RATE = 0.05
COUNTED = "eh_core_step"
FIRING = "random (seed 0), thresholds set for the firing rate of trained models"


@dataclass(frozen=True, slots=True)
class Case:
    """One row: a model, the scheme of its integers (None: float32), and how its C is written."""

    id: str
    build: Callable[[], Bundle]
    scheme: str | None
    weights: str
    reach: int | None = None
    options: Mapping[str, Any] | None = None


def fastgrnn(sparsity: float = 0.0) -> Bundle:
    """H = 80, D = 6; `sparsity` of the 4x1 blocks of W and U are zero."""
    rng = np.random.default_rng(0)
    hidden = 80
    weights = {
        "W": rng.standard_normal((hidden, CHANNELS)) / np.sqrt(CHANNELS),
        "U": rng.standard_normal((hidden, hidden)) / np.sqrt(hidden),
        "b_z": rng.standard_normal(hidden),
        "b_h": rng.standard_normal(hidden),
        "zeta": np.array([0.7]),
        "nu": np.array([0.03]),
        "fc_w": rng.standard_normal((CLASSES, hidden)) / np.sqrt(hidden),
        "fc_b": rng.standard_normal(CLASSES),
    }
    for name in ("W", "U"):
        blocks = rng.permutation(weights[name].size // 4) >= round(sparsity * weights[name].size / 4)
        weights[name] *= np.repeat(blocks.reshape(hidden // 4, -1), 4, axis=0)
    model = {"family": "fastgrnn", "inputs": CHANNELS, "classes": CLASSES, "hidden": hidden}
    return bundle({**model, "rank_w": None, "rank_u": None}, weights)


def l2mu18() -> Bundle:
    """Memory 1, order 18, hidden 180, plain encoder: 38,533 weights; decays and thresholds as published for WISDM."""
    rng = np.random.default_rng(0)
    hidden, order, memory, theta = 180, 18, 1, 13.4
    a, b = discretise(order, theta)
    shapes = {
        "E_x": (memory, CHANNELS),
        "E_h": (memory, hidden),
        "E_m": (memory, order),
        "W_x": (hidden, CHANNELS),
        "W_h": (hidden, hidden),
        "W_m": (hidden, order),
        "W_o": (CLASSES, hidden),
    }
    weights = {name: rng.standard_normal(shape) / np.sqrt(shape[1]) for name, shape in shapes.items()}
    weights |= {"A": a, "B": b, "b_o": np.zeros(CLASSES)}
    for population, beta, threshold in (("u", 0.4, 0.15), ("h", 0.2, 0.65), ("m", 0.55, 0.9), ("o", 0.7, 0.75)):
        weights |= {f"beta_{population}": np.array([beta]), f"thr_{population}": np.array([threshold])}
    model = {"family": "l2mu", "inputs": CHANNELS, "classes": CLASSES, "memory": memory, "order": order}
    model |= {"theta": theta, "hidden": hidden, "encoder": "plain", "neuron": "leaky", "readout": "membrane"}
    model["legacy_transposed_A"] = False
    for population in ("m", "h"):  # the memory drives the hidden neurons
        low, high = 0.0, 20.0
        for _ in range(16):
            weights[f"thr_{population}"] = np.array([(low + high) / 2])
            above = rates(bundle(model, weights))[population] > FIRING_RATE
            low, high = ((low + high) / 2, high) if above else (low, (low + high) / 2)
    return bundle(model, weights)


def bundle(model: Mapping[str, Any], weights: Mapping[str, Any]) -> Bundle:
    """A bundle of these weights with random golden windows."""
    names = tuple(f"ch_{i}" for i in range(CHANNELS))
    manifest = Manifest(
        model_id=f"{model['family']}-mcu",
        contract=Contract("imu", names, ("1",) * CHANNELS, 20.0),
        window=WINDOW,
        hop=HOP,
        labels=tuple(f"class_{i}" for i in range(CLASSES)),
        model=model,
        provenance={"weights": "random"},
    )
    floats = {name: np.asarray(w, np.float32) for name, w in weights.items()}
    x = np.random.default_rng(1).standard_normal((WINDOWS, WINDOW, CHANNELS)).astype(np.float32)
    bare = Bundle(manifest, floats, {}, {})
    return replace(bare, golden={"x": x, "logits": run_graph(graph_of(bare), x)})


def quantised(made: Bundle, scheme: str) -> Bundle:
    """Calibrated on its own windows."""
    choice = choose(graph_of(made), made.golden["x"], scheme, "minmax", "conv")
    return replace(made, manifest=replace(made.manifest, quant=choice.quant))


def rates(made: Bundle) -> dict[str, float]:
    """Mean spikes per neuron and step on the golden windows."""
    runtime = make_runtime("reference", made)
    for window in made.golden["x"]:
        runtime.window(window)
    return runtime.spike_rates()


CASES = (
    Case("mcu.m4f.fastgrnn80.int8x16", fastgrnn, "int8x16", "random (seed 0)", 25_000),
    Case("mcu.m4f.fastgrnn80.int8", fastgrnn, "int8", "random (seed 0)", 25_000),
    Case(
        "mcu.m4f.fastgrnn80.block90",
        lambda: fastgrnn(0.9),
        "int8x16",
        "random (seed 0), 90 % of 4x1 blocks zero",
        8_000,
    ),
    Case("mcu.m4f.fastgrnn80.float32", fastgrnn, None, "random (seed 0)"),
    Case("mcu.m4f.l2mu18.event", l2mu18, "int8", FIRING),
    Case("mcu.m4f.l2mu18.dense", l2mu18, "int8", FIRING, options={"events": False}),
)


def measure(case: Case) -> Row:
    """Build, run, compare with the reference, count."""
    made = case.build()
    made = made if case.scheme is None else quantised(made, case.scheme)
    with tempfile.TemporaryDirectory() as directory:
        export = emit_c(made, Path(directory) / "c", **(case.options or {}))
        run = run_program(
            find_target("cortex-m4f"),
            MAIN,
            export.sources,
            input_bytes=encode(made.golden["x"]),
            include_dirs=[export.directory],
            count_functions=[COUNTED],
        )
    check(case, made, run)
    calls = run.calls[COUNTED]
    return Row(
        id=case.id,
        value=calls.mean_instructions,
        unit="instructions per step",
        std=0.0,
        n=1,
        command="python benchmarks/mcu.py" + (" --l2mu BUNDLE" if "wisdm" in case.id else ""),
        bundle_sha256=made.sha256,
        extras=extras(case, made, export, run, calls),
    )


def check(case: Case, made: Bundle, run: Run) -> None:
    """Raise unless the program's logits are the reference's."""
    found, x = decode(run.output).logits, made.golden["x"]
    if case.scheme is None:
        wanted: FloatArray = made.golden["logits"]
        same = bool(np.allclose(found, wanted, rtol=0, atol=1e-4))
    else:
        graph = int_graph_of(made)
        scale = np.float32(graph.quants[graph.output].scale)
        same = np.array_equal(found.astype(np.float32) * scale, run_int_graph(graph, x))
    if not same:
        raise EdgeHarError(
            f"{case.id}: the C module's logits differ from the reference's",
            reason=Reason.VALUE,
            hint="edgehar verify names the first tensor that differs",
        )


def extras(case: Case, made: Bundle, export: CExport, run: Run, calls: Calls) -> dict[str, Any]:
    """What else the row tells."""
    return {
        "min": calls.min_instructions,
        "max": calls.max_instructions,
        "steps": calls.calls,
        "constant_bytes": export.module.constant_bytes,
        "code_bytes": run.program.sizes.text,
        "target": " ".join((run.program.target.title, *run.program.target.flags)),
        "scheme": export.module.scheme,
        "weights": case.weights,
        **({} if case.reach is None else {"reach": case.reach}),
        **({"spike_rates": rates(made)} if made.manifest.model["family"] == "l2mu" else {}),
    }


def trained(path: Path) -> list[Case]:
    """A trained spiking model, with events and without."""
    made = open_bundle(path)
    golden = {name: made.golden[name][:WINDOWS] for name in ("x", "logits")}
    made = replace(made, golden=golden)
    kinds: dict[str, Mapping[str, Any] | None] = {"event": None, "dense": {"events": False}}
    return [
        Case(f"mcu.m4f.l2mu_wisdm7.{kind}", lambda: made, "int8", f"trained, {made.manifest.model_id}", options=options)
        for kind, options in kinds.items()
    ]


def main() -> None:
    """Measure every case and merge the rows into benchmarks/results/mcu.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--l2mu", type=Path, metavar="BUNDLE", help="a trained spiking bundle")
    arguments = parser.parse_args()
    rows = []
    for case in (*CASES, *(trained(arguments.l2mu) if arguments.l2mu else ())):
        rows.append(measure(case))
        print(f"{case.id}: {rows[-1].value:.0f} {rows[-1].unit}", flush=True)
    merge_rows(RESULTS / "mcu.jsonl", rows)


if __name__ == "__main__":
    main()
