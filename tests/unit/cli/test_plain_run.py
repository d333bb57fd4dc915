"""A plain `edgehar run` is read without Typer and means the same; whatever else there is goes to Typer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cbuild import need
from factories import random_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.cli.app import build, main
from edgehar.cli.plain import plain_run
from edgehar.export.c.emit import emit_c

REPORT = """
import json, sys
from edgehar.cli.app import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
VIRTUAL = "virtual:imu?seed=3&duration_s=3"


@pytest.mark.parametrize(
    "line",
    [
        "run a.edgehar --source replay:x.mcap",
        "run --source imu=virtual:imu?seed=1 a.edgehar --speed 0 --json",
        "run a.edgehar --source s --sink console --sink jsonl:out --runtime c:out/c --record r.mcap --duration 2.5",
        "run --config edgehar.toml",
        "run a.edgehar --source w=a --source l=b --base w=12ms --base l=0..50ms --align tap --wait 200ms",
        "run a.edgehar --source a --source b --speed 1 --speed 2",
        "run",
    ],
)
def test_both_parsers_read_the_same(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def remember(bundle: Path | None = None, **options: Any) -> int:
        given = {"bundle": bundle, **options}
        seen.append({name: value for name, value in given.items() if value not in (None, [], False)})
        return 0

    monkeypatch.setattr("edgehar.cli.running.run_bundle", remember)
    words = line.split()
    assert plain_run(words) is not None
    main(words)
    build(words)(args=words, prog_name="edgehar", standalone_mode=False)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--version",
        "demo --json",
        "run --help",
        "run a.edgehar --sauce x",
        "run a.edgehar --source",
        "run a.edgehar --source=x",
        "run a.edgehar --source x --speed fast",
        "run a.edgehar --speed -1 --source x",
        "run a.edgehar b.edgehar --source x",
        "run -- a.edgehar",
        "run a.edgehar --source --json",
    ],
)
def test_anything_else_is_left_to_typer(line: str) -> None:
    assert plain_run(line.split()) is None


def imported(*arguments: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def test_a_run_imports_neither_parser_nor_compiler_nor_writer(tmp_path: Path) -> None:
    need("gcc", "gcc libc6-dev")
    path = tmp_path / "walk.edgehar"
    save_bundle(random_bundle("gru", window=50, hop=25), path)
    emit_c(open_bundle(path), tmp_path / "c")
    run = ("run", path, "--source", VIRTUAL, "--speed", 0, "--json", "--runtime")
    heavy = {"typer", "rich", "pydantic", "torch", "onnx"}
    assert not imported(*run, "numba") & heavy
    assert not imported(*run, "c") & {*heavy, "numba", "llvmlite", "scipy"}
