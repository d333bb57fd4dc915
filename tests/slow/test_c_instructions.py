"""Emitted C on a Cortex-M4F in QEMU: the same bits with and without its packed multiplies, within its instructions."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edgehar.boards.targets import TARGETS
from edgehar.boards.toolchain import run_program
from edgehar.bundle import Bundle
from edgehar.export.c.emit import emit_c
from edgehar.export.c.harness import MAIN, decode, encode
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import int_graph_of
from tests.factories import conv, random_bundle
from tests.quantised import quantised

pytestmark = pytest.mark.slow
M4F = TARGETS["cortex-m4f"]
GROUPED = [
    conv("stem", 18, 3),
    conv("grouped", 27, 5, 1, 9),
    {"op": "mean"},
    {"op": "linear", "name": "fc"},
]
MODELS = {
    "fastgrnn": random_bundle("fastgrnn", hidden=61, rank_u=7),
    "gru": random_bundle("gru", hidden=37),
    "cnn": random_bundle("cnn", layers=GROUPED),
    "dscnn": random_bundle("dscnn", hidden=13),
    "l2mu": random_bundle("l2mu", hidden=300, memory=2, order=9),  # more events than fit one 16-bit sum
}


@pytest.fixture(scope="module")
def mcu() -> ModuleType:
    if M4F.missing() is not None:
        pytest.skip(f"tools for {M4F.name} are missing: {M4F.missing()}")
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("mcu")


@pytest.mark.parametrize("defines", [{}, {"EH_SCALAR": "1"}], ids=["packed", "scalar"])
@pytest.mark.parametrize("scheme", ["int8", "int8x16"])
@pytest.mark.parametrize("layout", ["auto", "blocks", "bitmap"])
@pytest.mark.parametrize("family", MODELS)
def test_every_family_has_the_reference_s_bits(
    family: str, layout: str, scheme: str, defines: dict[str, str], tmp_path: Path, mcu: ModuleType
) -> None:
    bundle = quantised(MODELS[family], scheme)
    graph, x = int_graph_of(bundle), bundle.golden["x"][:2]
    export = emit_c(bundle, tmp_path / "module", layouts={"*": layout})

    run = run_program(
        M4F, MAIN, export.sources, input_bytes=encode(x), include_dirs=[export.directory], defines=defines
    )

    logits = decode(run.output).logits.astype(np.float32) * np.float32(graph.quants[graph.output].scale)
    np.testing.assert_array_equal(logits, run_int_graph(graph, x))


def test_instructions_stay_within_their_reach(mcu: ModuleType) -> None:
    rows = {case.id: (case, mcu.measure(case)) for case in mcu.CASES}

    for case, row in rows.values():
        assert case.reach is None or row.value <= case.reach, row
    event, dense = (rows[f"mcu.m4f.l2mu18.{kind}"][1].value for kind in ("event", "dense"))
    assert event < 0.5 * dense


def test_events_cost_what_fires(mcu: ModuleType, tmp_path: Path) -> None:
    def instructions(bundle: Bundle, name: str) -> float:
        export = emit_c(bundle, tmp_path / name)
        run = run_program(
            M4F,
            MAIN,
            export.sources,
            input_bytes=encode(bundle.golden["x"][:1]),
            include_dirs=[export.directory],
            count_functions=["eh_core_step"],
        )
        return run.calls["eh_core_step"].mean_instructions

    made = random_bundle("l2mu", hidden=120)
    silent = {name: w * 8 if name == "thr_h" else w for name, w in made.weights.items()}
    busy, quiet = quantised(made, "int8"), quantised(replace(made, weights=silent), "int8")

    assert instructions(quiet, "quiet") < 0.7 * instructions(busy, "busy")
