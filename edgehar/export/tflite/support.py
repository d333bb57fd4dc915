"""Which TFLite file runs where: every cell runs, but for those named here with the reason. Tested both ways."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from edgehar.export.tflite.emit import DTYPES, FORMS
from edgehar.manifest import FAMILIES

RUNTIMES: Mapping[str, str] = {
    "litert": "ai-edge-litert 2.3",
    "tflite-runtime": "tflite-runtime 2.14",
    "tflite-micro": "tflite-micro",
}
RUN = "RUN"
NO_HYBRID = "tflite-micro takes no dynamic-range file"


class Cell(NamedTuple):
    """One file in one interpreter."""

    family: str
    dtype: str
    form: str
    runtime: str


CELLS = tuple(Cell(*parts) for parts in product(FAMILIES, DTYPES, FORMS, RUNTIMES))

UNSUPPORTED: Mapping[Cell, str] = {
    cell: NO_HYBRID for cell in CELLS if (cell.dtype, cell.runtime) == ("dynamic", "tflite-micro")
}


def support_table() -> str:
    """The matrix as Markdown, one row for each family and form, and the reasons below it."""
    reasons = sorted(set(UNSUPPORTED.values()))
    head = ["family", "form", *DTYPES]
    rows = [head, ["---"] * len(head)]
    for family, form in product(FAMILIES, FORMS):
        found = [{r: UNSUPPORTED.get(Cell(family, dtype, form, r)) for r in RUNTIMES} for dtype in DTYPES]
        rows.append([family, form, *(_shown(column, reasons) for column in found)])
    notes = [f"{number}. UNSUPPORTED: {reason}." for number, reason in enumerate(reasons, 1)]
    runtimes = ", ".join(RUNTIMES.values())
    table = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"{RUN} stands for all of {runtimes}; a number is a reason below.", "", *table, "", *notes])


def _shown(found: Mapping[str, str | None], reasons: list[str]) -> str:
    """One dtype's cells in all interpreters."""
    lacking = {runtime: reasons.index(reason) + 1 for runtime, reason in found.items() if reason is not None}
    if len(lacking) == len(found) and len(set(lacking.values())) == 1:
        return f"UNSUPPORTED ({next(iter(lacking.values()))})"
    others = "".join(f", {runtime} UNSUPPORTED ({number})" for runtime, number in lacking.items())
    return f"{RUN}{others}"
