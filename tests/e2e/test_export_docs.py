"""The export page's commands run as printed, and its table of boards is the one that export checks against."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgehar.boards.boards import DTYPES, FORMATS
from edgehar.bundle import open_bundle, save_bundle
from edgehar.demo import BUNDLE
from edgehar.graph.calibrate import calibrate
from edgehar.graph.intexecute import run_int_graph
from edgehar.runtimes.lowered import graph_of, int_graph_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text()
PACKAGES = {"onnx": "export", "flatbuffers": "export", "onnxruntime": "ort", "ai_edge_litert": "litert"}


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def quantised(path: Path) -> None:
    """The demo model with the integers that its golden windows ask for, as edgehar compress --quant int8 would."""
    bundle = open_bundle(BUNDLE)
    x = bundle.golden["x"][:32]
    ranges = {name: list(found) for name, found in calibrate(graph_of(bundle), x).items()}
    quant = {"scheme": "int8", "per_channel": "conv", "calibration": "minmax", "ranges": ranges}
    bundle = replace(bundle, manifest=replace(bundle.manifest, quant=quant))
    save_bundle(replace(bundle, golden={"x": x, "logits": run_int_graph(int_graph_of(bundle), x)}), path)


def test_the_pages_commands_run(tmp_path: Path) -> None:
    for package, extra in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is missing: pip install 'edgehar[{extra}]'")
    (tmp_path / "wrist.edgehar").write_bytes(BUNDLE.read_bytes())
    quantised(tmp_path / "wrist8.edgehar")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [line for block in blocks() for line in block.splitlines() if line.startswith("edgehar")]
    assert len(commands) >= 8
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    chip = json.loads((tmp_path / "build" / "chip" / "export.json").read_text())
    assert {made["dtype"] for made in chip["exports"]} == {"int8"}
    assert chip["board"] == "stm32h743", "the last command replaced the first export"


def test_the_boards_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import cli_docs

    sys.modules.pop("cli_docs")
    assert cli_docs.with_boards(PAGE) == PAGE, "run: python benchmarks/cli_docs.py"


def test_every_format_and_dtype_is_described() -> None:
    for dtype in DTYPES:
        assert f"| `{dtype}` |" in PAGE
    head = re.search(r"\| `--dtype` \|.*", PAGE)
    assert head is not None
    assert all(name in head[0].lower() for name in FORMATS)
