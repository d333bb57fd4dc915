"""What other int8 quantisers make of a float model; runs in an environment of its own, called by int8_rmse.py.

    PYTHONPATH=<clone> python benchmarks/int8_oracles.py TASK.npz RESULT.npz

It needs tensorflow, ai-edge-quantizer and ai-edge-litert, and of edgehar only `edgehar.graph`. TASK holds the model's
object as JSON, its tensors, our float32 TFLite file (step or window form), windows to calibrate on and to test.
RESULT holds logits [n, classes] by method: `aeq` (AI-Edge-Quantizer with true minimum and maximum), `aeq_default` (with
its moving average), `tf` (TFLiteConverter on the graph written in TensorFlow); a method that fails leaves a text.
States pass from step to step in float32, which each file rounds to its own scales.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from int8_tensorflow import TensorflowModel
from numpy.typing import NDArray

from edgehar.graph.graph import Graph
from edgehar.graph.lower import lower

Array = NDArray[Any]
Tensors = dict[str, Array]
Run = Callable[[Tensors], Tensors]
SIGNATURE = "samples"


def main(task_file: str, result_file: str) -> None:
    """Run every method on the task."""
    task = dict(np.load(task_file, allow_pickle=False))
    told = json.loads(str(task.pop("told")))
    weights = {name.removeprefix("w."): value for name, value in task.items() if name.startswith("w.")}
    graph = lower(told["model"], weights, window=told["window"], hop=told["hop"])
    calibration, test, ours = task["calibration"], task["test"], task["tflite"].tobytes()
    samples = list(calibration_samples(graph, calibration, by_signature(ours)))
    results: dict[str, Any] = {"float": logits(graph, by_signature(ours), test)}
    methods: Mapping[str, Callable[[], Run]] = {
        "aeq": lambda: by_position(ai_edge_quantizer(ours, samples, true_extremes=True), graph),
        "aeq_default": lambda: by_position(ai_edge_quantizer(ours, samples, true_extremes=False), graph),
        "tf": lambda: by_signature(TensorflowModel(graph).int8_file(samples)),
    }
    for name, make in methods.items():
        try:
            results[name] = logits(graph, make(), test)
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            results[name] = np.array(f"{type(error).__name__}: {error}"[:300])
    np.savez(Path(result_file), **results)


def by_signature(content: bytes) -> Run:
    """A file's only signature on float32 tensors; whatever it takes or gives as integers is converted."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    run = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    inputs, outputs = run.get_input_details(), run.get_output_details()

    def call(given: Tensors) -> Tensors:
        found = run(**{name: stored(value, inputs[name]) for name, value in given.items()})
        return {name: real(value, outputs[name]) for name, value in found.items()}

    return call


def by_position(content: bytes, graph: Graph) -> Run:
    """The same by the order of inputs and outputs: AI-Edge-Quantizer's signatures name tensors that hold nothing."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model_content=content)
    interpreter.allocate_tensors()
    inputs = dict(zip(["x", *(s.name for s in graph.states)], interpreter.get_input_details(), strict=True))
    outputs = dict(zip(["logits", *(s.next for s in graph.states)], interpreter.get_output_details(), strict=True))

    def call(given: Tensors) -> Tensors:
        for name, value in given.items():
            interpreter.set_tensor(inputs[name]["index"], stored(value, inputs[name]))
        interpreter.invoke()
        return {name: real(interpreter.get_tensor(told["index"]), told) for name, told in outputs.items()}

    return call


def stored(value: Array, told: Mapping[str, Any]) -> Array:
    """Real numbers as a tensor of these details."""
    if told["dtype"] == np.float32:
        return value.astype(np.float32)
    scale, zero = told["quantization"]
    ends = np.iinfo(told["dtype"])
    return np.asarray(np.clip(np.rint(value / scale) + zero, ends.min, ends.max), told["dtype"])


def real(value: Array, told: Mapping[str, Any]) -> Array:
    """The inverse of `stored`."""
    if told["dtype"] == np.float32:
        return value
    scale, zero = told["quantization"]
    return np.asarray((value.astype(np.float32) - zero) * np.float32(scale))


def calibration_samples(graph: Graph, windows: Array, run: Run) -> Iterator[Tensors]:
    """What the file sees: whole windows, or every step of every window with the float model's states."""
    for window in windows:
        if not graph.states:
            yield {"x": window}
            continue
        states = start(graph)
        for sample in window[:, None]:
            yield {"x": sample, **states}
            found = run({"x": sample, **states})
            states = {s.name: found[s.next] for s in graph.states}


def logits(graph: Graph, run: Run, windows: Array) -> Array:
    """Logits [n, classes] of windows [n, window, inputs]."""
    rows = []
    for window in windows:
        states, found = start(graph), {}
        for x in window[:, None] if graph.states else [window]:
            found = run({"x": x, **states})
            states = {s.name: found[s.next] for s in graph.states}
        rows.append(found["logits"].reshape(-1))
    return np.stack(rows)


def start(graph: Graph) -> Tensors:
    """States before a window."""
    return {s.name: np.zeros((1, s.size), np.float32) for s in graph.states}


def ai_edge_quantizer(content: bytes, samples: list[Tensors], *, true_extremes: bool) -> bytes:
    """Static int8 by AI-Edge-Quantizer; its own calibrator takes a moving average of every sample's extremes."""
    calibrator, managers, quantizer, recipes, utils = (
        importlib.import_module(f"ai_edge_quantizer.{name}")
        for name in ("calibrator", "recipe_manager", "quantizer", "recipe", "utils.qsv_utils")
    )
    recipe = recipes.static_wi8_ai8()
    work = quantizer.Quantizer(bytearray(content), recipe)
    data = {SIGNATURE: samples}
    if not true_extremes:
        return bytes(work.quantize(work.calibrate(data, num_threads=1)).quantized_model)
    manager = managers.RecipeManager()
    manager.load_quantization_recipe(recipe)
    calibration = calibrator.Calibrator(content, num_threads=1, qsv_update_func=utils.min_max_update)
    calibration.calibrate(data, manager)
    return bytes(work.quantize(calibration.get_model_qsvs()).quantized_model)


if __name__ == "__main__":
    main(*sys.argv[1:3])
