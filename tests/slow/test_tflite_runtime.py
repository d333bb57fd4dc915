"""The TFLite matrix's column of tflite-runtime 2.14, which lives in an environment of its own."""

from __future__ import annotations

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
    found = run_tflite_runtime(model, bundle.golden["x"])
    check_agreement(found, expected(bundle, cell.dtype), cell.family, cell.dtype)
