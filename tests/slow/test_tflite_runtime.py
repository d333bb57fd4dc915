"""The TFLite matrix's column of tflite-runtime 2.14, which lives in an environment of its own."""

from __future__ import annotations

import numpy as np
import pytest
from interpreters import run_tflite_runtime
from tflite_cases import check_agreement, expected, small_bundle

from edgehar.export.tflite.emit import emit_tflite
from edgehar.export.tflite.support import CELLS, UNSUPPORTED, Cell

pytestmark = pytest.mark.slow
COLUMN = [cell for cell in CELLS if cell.runtime == "tflite-runtime"]


def test_the_column_has_no_gap():
    assert not set(COLUMN) & set(UNSUPPORTED)


@pytest.mark.parametrize("cell", COLUMN, ids=" ".join)
def test_a_cell_is_what_the_matrix_says(cell: Cell):
    bundle = small_bundle(cell.family, cell.dtype)
    model = emit_tflite(bundle, cell.form, cell.dtype)
    x, right = bundle.golden["x"], expected(bundle, cell.dtype)
    if cell.form == "window":
        found = run_tflite_runtime(model, {"x": x}, "samples")["logits"][:, 0]
        check_agreement(found, right, cell.family, cell.dtype)
        return
    check_agreement(_stepped(model, x), right, cell.family, cell.dtype)


def _stepped(model, x):
    """All windows side by side, one call of the environment for each step."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")
    inputs = litert.Interpreter(model_content=model).get_signature_runner("samples").get_input_details()
    states = {name: np.zeros((len(x), *told["shape"]), told["dtype"]) for name, told in inputs.items()}
    samples = states.pop("x").shape[1]
    found = {}
    for at in range(0, x.shape[1], samples):
        found = run_tflite_runtime(model, {"x": x[:, at : at + samples], **states}, "samples")
        states = {name: found[f"{name}_next"] for name in states}
    return found["logits"][:, 0]
