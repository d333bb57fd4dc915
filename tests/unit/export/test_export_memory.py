"""What an export says it needs is enough: tflite-micro allocates in it, and the C module's memory fits into it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories import random_bundle
from quantised import quantised

from edgehar.bundle import save_bundle
from edgehar.demo import BUNDLE
from edgehar.export import export_bundle

FILTERS: list[dict[str, Any]] = [
    {"op": "median3"},
    {"op": "sos", "sos": [[0.2, 0.4, 0.2, 1.0, -0.3, 0.1], [0.2, 0.4, 0.2, 1.0, -0.3, 0.1]]},
]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "demo": ("", {}),
    "fastgrnn": ("fastgrnn", {"hidden": 80, "window": 128, "hop": 64, "preprocess": FILTERS, "delay_samples": 1}),
    "fastgrnn-low-rank": ("fastgrnn", {"hidden": 61, "rank_w": 3, "rank_u": 9, "hop": 8}),
    "gru": ("gru", {"hidden": 48, "window": 128, "hop": 128}),
    "cnn": ("cnn", {"hidden": 32, "window": 128, "hop": 64}),
    "dscnn": ("dscnn", {"hidden": 48}),
    "l2mu": ("l2mu", {"hidden": 64}),
    "l2mu-synaptic": ("l2mu", {"hidden": 64, "encoder": "stacked", "neuron": "synaptic"}),
}


INTEGERS: dict[str, tuple[str, str]] = {
    "fastgrnn int8": ("int8", "auto"),
    "fastgrnn int8 exact": ("int8", "exact"),
    "gru int8 exact": ("int8", "exact"),
    "cnn int8": ("int8", "auto"),
    "cnn int8 exact": ("int8", "exact"),
    "l2mu int8": ("int8", "auto"),
    "l2mu-synaptic int8x16": ("int8x16", "auto"),
}
"""Scheme and rounding of TFLite files."""


def exported(case: str, tmp_path: Path, target: str) -> dict[str, Any]:
    family, options = CASES[case.split(maxsplit=1)[0]]
    scheme, rounding = INTEGERS.get(case, ("", "auto"))
    path = BUNDLE
    if family:
        path = tmp_path / "model.edgehar"
        bundle = random_bundle(family, golden_windows=1, **options)
        save_bundle(quantised(bundle, scheme) if scheme else bundle, path)
    return export_bundle(path, tmp_path / "out", targets=[target], board="stm32h743", rounding=rounding)


# In a process of its own: tflite-micro may take the whole process down where its arena is too small.
MICRO = """
import sys
from tflite_micro import runtime
runtime.Interpreter.from_bytes(open(sys.argv[1], "rb").read(), arena_size=int(sys.argv[2])).invoke()
"""


@pytest.mark.parametrize("case", [*CASES, *INTEGERS])
def test_tflite_micro_runs_in_the_ram_that_is_named(case: str, tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers", reason="pip install 'edgehar[export]'")
    pytest.importorskip("tflite_micro", reason="pip install --pre tflite-micro")
    for made in exported(case, tmp_path, "tflite")["exports"]:
        path = tmp_path / "out" / made["files"][0]
        command = [sys.executable, "-c", MICRO, str(path), str(made["needs"]["ram_bytes"])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{path.name}: {done.stderr[-500:]}"
        assert made["needs"]["flash_bytes"] == path.stat().st_size


@pytest.mark.parametrize("case", CASES)
def test_the_c_modules_memory_is_within_what_is_named(case: str, tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    (made,) = exported(case, tmp_path, "c")["exports"]
    source = tmp_path / "size.c"
    source.write_text('#include <stdio.h>\n#include "eh_model.h"\nint main(void) { printf("%zu", sizeof(EhModel)); }\n')
    program = tmp_path / "size"
    subprocess.run([compiler, "-std=c99", f"-I{tmp_path / 'out' / 'c'}", source, "-o", program], check=True)
    model = int(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
    assert model <= made["needs"]["ram_bytes"] <= 4 * model + 2048
