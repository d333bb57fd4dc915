"""Start and memory are those of fresh processes, beside bare scripts of the peers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from factories import random_bundle

from edgehar.bench.fresh import measure_fresh, run_fresh
from edgehar.bundle import save_bundle
from edgehar.cli.app import main
from edgehar.cli.desk import DESK
from edgehar.errors import InputError, UsageError

if not Path("/proc/self/status").exists():
    pytest.skip("this system has no /proc to read resident memory from", allow_module_level=True)


def test_a_process_is_watched_from_its_first_line_to_its_end() -> None:
    code = "import time; print('first', flush=True); hold = b'x' * 60_000_000; time.sleep(0.3); print('last')"
    run = run_fresh([sys.executable, "-c", code])
    assert run.peak_mib > 60
    assert run.cpu_s > 0


def test_a_process_that_fails_is_quoted() -> None:
    with pytest.raises(InputError, match=r"exit code 3.*no such board"):
        run_fresh([sys.executable, "-c", "import sys; print('no such board', file=sys.stderr); sys.exit(3)"])


def test_runs_and_bare_scripts_stand_beside_each_other() -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install 'edgehar[litert]'")
    pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")
    told = measure_fresh(random_bundle("fastgrnn", hop=4), ["litert", "ort"], DESK, runs=1)
    names = set(told.medians) | set(told.absent)
    assert names == {"edgehar run, numba", "edgehar run, c", "litert, a bare script", "ort, a bare script"}
    assert all(run.peak_mib > 10 and run.first_s > 0 for run in told.medians.values())


def test_unknown_peers_are_named() -> None:
    with pytest.raises(UsageError, match="peer 'tvm'"):
        measure_fresh(random_bundle("fastgrnn"), ["tvm"], DESK, runs=1)


def test_the_command_tells_memory_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.edgehar"
    save_bundle(random_bundle("fastgrnn", hop=4), path)
    assert main(["bench", "memory", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["processes"]["edgehar run, numba"]["peak_mib"] > 10
