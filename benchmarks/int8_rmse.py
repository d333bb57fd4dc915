"""How far int8 moves the logits: our files against AI-Edge-Quantizer's and TFLiteConverter's of the same model.

    EDGEHAR_ORACLE_PYTHON=ORACLE/bin/python python benchmarks/int8_rmse.py compress.int8rmse.cnn | --all

ORACLE is an environment with tensorflow, ai-edge-quantizer and ai-edge-litert. For the bundles that accuracy.py left of
the model's row: every method is calibrated on the same windows of training people and run in ai-edge-litert on the same
windows of test people; the error is against the float model's logits. `value` is ours with true extremes, as theirs;
`search` is ours as `edgehar compress` chooses. All files round as TFLite's operators do (`--rounding tflite`). Rows
go to results/compress.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from compress import MODELS, Source, sources
from row_choice import chosen_rows, row_parser
from rows import RESULTS, ROOT, Row, merge_rows

from edgehar.bundle import Bundle
from edgehar.compress.calibration import MINMAX, SEARCH, choose
from edgehar.compress.quantise import with_quant
from edgehar.errors import EdgeHarError, MissingError, Reason
from edgehar.export.tflite.emit import emit_tflite
from edgehar.graph.execute import run_graph
from edgehar.runtimes.litert import open_interpreter
from edgehar.runtimes.lowered import graph_of
from edgehar.runtimes.tflite_file import SIGNATURE_SAMPLES
from edgehar.types import FloatArray

ORACLE = "EDGEHAR_ORACLE_PYTHON"
CALIBRATION, TEST = 64, 400
"""Windows; a recurrent oracle is calibrated on every step of them, one Python call each."""
METHODS = ("aeq", "aeq_default", "tf")


def main() -> int:
    arguments = parse()
    try:
        for model in arguments.models:
            found = [measure(source) for source in sources(model, arguments.data, arguments.cache)]
            row = row_of(model, found)
            print(f"{row.id}: {row.value:.4f} +- {row.std:.4f}  {dict(row.extras)}", flush=True)
            merge_rows(RESULTS / "compress.jsonl", [row])
    except EdgeHarError as error:
        print(f"int8_rmse: {error}\n  next: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


def parse() -> argparse.Namespace:
    known = [f"compress.int8rmse.{model}" for model in MODELS]
    arguments = chosen_rows(row_parser(__doc__, known), known)
    arguments.models = [row.rsplit(".", 1)[1] for row in arguments.rows]
    return arguments


def measure(source: Source) -> dict[str, Any]:
    """Root mean square errors and label agreement with the float model, by method."""
    calibration = _evenly(source, "train", CALIBRATION)
    test = _evenly(source, "test", TEST)
    graph = graph_of(source.bundle)
    right = run_graph(graph, test)
    found: dict[str, Any] = {"bundle": source.bundle.sha256, "bytes": 0}
    logits: dict[str, Any] = {}
    for name in (MINMAX, SEARCH):
        quantised = with_quant(source.bundle, choose(graph, calibration, "int8", name, "conv").quant)
        content = emit_tflite(quantised, "window", "int8", entries="samples", rounding="tflite")
        logits[name], found["bytes"] = _run(content, test), len(content)
    logits |= _oracles(source.bundle, calibration, test)
    for name, value in logits.items():
        if isinstance(value, str):
            found[name] = value
            continue
        found[name] = float(np.sqrt(np.mean(np.square(value - right, dtype=np.float64))))
        found[f"{name}_agree"] = 100 * float((value.argmax(axis=1) == right.argmax(axis=1)).mean())
    found["logit_rms"] = float(np.sqrt(np.mean(np.square(right, dtype=np.float64))))
    print(json.dumps({"model": source.model, "seed": source.seed, **found}), file=sys.stderr, flush=True)
    return found


def row_of(model: str, found: list[dict[str, Any]]) -> Row:
    """Means over the bundles; a method that failed shows why."""
    extras: dict[str, Any] = {"calibration_windows": CALIBRATION, "test_windows": TEST}
    for name in (SEARCH, *METHODS):
        values = [f[name] for f in found]
        failed = [v for v in values if isinstance(v, str)]
        if failed:
            extras[name] = failed[0]
            continue
        extras[name], extras[f"{name}_std"] = spread(values)
    for name in (MINMAX, SEARCH, *METHODS):
        agree = [f[f"{name}_agree"] for f in found if f"{name}_agree" in f]
        if agree:
            extras[f"{name}_agree"] = round(float(np.mean(agree)), 2)
    extras["logit_rms"] = round(float(np.mean([f["logit_rms"] for f in found])), 3)
    extras["file_bytes"] = found[0]["bytes"]
    mean, std = spread([f[MINMAX] for f in found])
    return Row(
        id=f"compress.int8rmse.{model}",
        value=mean,
        unit="logit",
        std=std,
        n=len(found),
        command=f"python benchmarks/int8_rmse.py compress.int8rmse.{model}",
        bundle_sha256=found[0]["bundle"],
        extras=extras,
    )


def spread(values: list[float]) -> tuple[float, float]:
    """Mean and sample standard deviation."""
    return round(float(np.mean(values)), 5), round(float(np.std(values, ddof=1)) if len(values) > 1 else 0.0, 5)


def _evenly(source: Source, side: str, count: int) -> FloatArray:
    """Preprocessed windows [n, window, inputs] of one side's people, evenly spread."""
    windows = getattr(source.data, side)
    rows = np.unique(np.linspace(0, len(windows) - 1, count).round().astype(np.int64))
    return source.data.normaliser(windows.x[rows])


def _run(content: bytes, x: FloatArray) -> FloatArray:
    run = open_interpreter(content).get_signature_runner(SIGNATURE_SAMPLES)
    return np.concatenate([run(x=window)["logits"] for window in x])


def _oracles(bundle: Bundle, calibration: FloatArray, test: FloatArray) -> dict[str, Any]:
    """Logits by method, or why there are none."""
    python = os.environ.get(ORACLE, "")
    if not Path(python).is_file():
        raise MissingError(
            f"{ORACLE} names no interpreter",
            reason=Reason.NOT_FOUND,
            hint="python -m venv ORACLE && ORACLE/bin/pip install tensorflow-cpu ai-edge-quantizer ai-edge-litert",
        )
    manifest = bundle.manifest
    form = "step" if graph_of(bundle).states else "window"
    tflite = np.frombuffer(emit_tflite(bundle, form, "float32", entries="samples"), np.uint8)
    told = json.dumps({"model": dict(manifest.model), "window": manifest.window, "hop": manifest.hop})
    weights: dict[str, Any] = {f"w.{name}": value for name, value in bundle.weights.items()}
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.npz"), Path(folder, "result.npz")
        np.savez(task, told=np.array(told), tflite=tflite, calibration=calibration, test=test, **weights)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""}
        script = str(Path(__file__).with_name("int8_oracles.py"))
        subprocess.run([python, script, str(task), str(result)], env=environment, check=True, stdout=subprocess.DEVNULL)
        found = dict(np.load(result, allow_pickle=False))
    if np.abs(found.pop("float") - run_graph(graph_of(bundle), test)).max() > 1e-2:
        raise MissingError(
            "the oracle's float model is not ours",
            reason=Reason.VALUE,
            hint="look at int8_tensorflow.py and edgehar.graph",
        )
    return {name: str(value) if value.dtype.kind == "U" else value for name, value in found.items()}


if __name__ == "__main__":
    sys.exit(main())
