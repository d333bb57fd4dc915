"""bench-check tells what got worse: ratios down, counts up; seconds are never compared."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def check():
    spec = importlib.util.spec_from_file_location("bench_check", BENCHMARKS / "check.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_check"] = module
    spec.loader.exec_module(module)
    return module


def written(path: Path, **values: tuple[float, str]) -> Path:
    rows = [{"id": name.replace("__", "."), "value": value, "unit": unit} for name, (value, unit) in values.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_worse_means_a_lower_ratio_or_more_instructions(check, tmp_path):
    then = written(
        tmp_path / "then",
        speed__a=(10.0, "x"),
        instr__b=(100, "i"),
        speed__push_over_step=(5.0, "x"),
        speed__s=(1, "s"),
    )
    now = written(
        tmp_path / "now", speed__a=(8.0, "x"), instr__b=(120, "i"), speed__push_over_step=(4.0, "x"), speed__s=(9, "s")
    )
    found = {change.id: change.worse for change in check.changes(then, now)}
    assert found == pytest.approx({"speed.a": 0.25, "instr.b": 0.2, "speed.push_over_step": -0.2})


def test_a_second_measurement_may_clear_a_row(check, monkeypatch):
    turns = iter([[check.Change("speed.a", "x", 10, 8, 0.25)], [check.Change("speed.a", "x", 10, 9.9, 0.01)]])
    monkeypatch.setattr(check, "measure", lambda _name, _directory: next(turns))
    assert [change.worse for change in check.checked("speed")] == [0.01]


def test_every_compared_file_has_committed_rows(check):
    for name in check.RUNS:
        assert check.read_rows(check.RESULTS / f"{name}.jsonl"), f"{name}.jsonl holds no row"
