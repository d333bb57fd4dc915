"""The TFLite matrix's column of tflite-runtime 2.14, which lives in an environment of its own."""

from __future__ import annotations

import numpy as np
import pytest
from interpreters import run_tflite_runtime
from tflite_cases import check_agreement, expected, small_bundle

from edgehar.errors import UsageError
from edgehar.export.tflite.emit import emit_tflite
from edgehar.export.tflite.support import CELLS, UNSUPPORTED, Cell
from edgehar.runtimes.lowered import graph_of

pytestmark = pytest.mark.slow
COLUMN = [cell for cell in CELLS if cell.runtime == "tflite-runtime"]


@pytest.mark.parametrize("cell", COLUMN, ids=" ".join)
def test_a_cell_is_what_the_matrix_says(cell: Cell):
    bundle = small_bundle(cell.family, cell.dtype)
    if cell in UNSUPPORTED:
        with pytest.raises(UsageError):
            emit_tflite(bundle, cell.form, cell.dtype)
        return
    model = emit_tflite(bundle, cell.form, cell.dtype)
    x, right = bundle.golden["x"], expected(bundle, cell.dtype)
    if cell.form == "window":
        found = run_tflite_runtime(model, {"x": x}, "samples")["logits"][:, 0]
        check_agreement(found, right, cell.family, cell.dtype)
        return
    check_agreement(_stepped(model, x, graph_of(bundle).states), right, cell.family, cell.dtype)


def _stepped(model, x, states):
    """All windows side by side, one call of the environment for each sample."""
    rows = {s.name: np.zeros((len(x), 1, s.size), _dtype(model, s)) for s in states}
    found = {}
    for t in range(x.shape[1]):
        found = run_tflite_runtime(model, {"x": x[:, t : t + 1], **rows}, "samples")
        rows = {s.name: found[s.next] for s in states}
    return found["logits"][:, 0]


def _dtype(model, state):
    """Of a state's bytes, by another interpreter."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="pip install ai-edge-litert")
    run = litert.Interpreter(model_content=model).get_signature_runner("samples")
    return run.get_input_details()[state.name]["dtype"]
