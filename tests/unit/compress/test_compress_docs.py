"""The page about compression is about this code."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np

from edgehar.bundle import open_bundle, save_bundle
from edgehar.compress.prune import METHODS
from edgehar.compress.sparsity import SCHEDULES

PAGE = (Path(__file__).parents[3] / "docs" / "compress.md").read_text()


def test_the_pages_python_runs(toy_bundle, toy_dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_bundle(toy_bundle("fastgrnn"), "watch.edgehar")
    shutil.copytree(toy_dataset.path, "data/watch")
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code[1], {})
    assert capsys.readouterr().out.count("worst person %") == 2
    zeros = sum((w == 0).sum() for w in open_bundle("watch80.edgehar").weights.values())
    assert zeros > 0.7 * sum(w.size for n, w in toy_bundle("fastgrnn").weights.items() if np.ndim(w) > 1)


def test_every_method_and_schedule_is_described():
    assert not [name for name in (*METHODS, *SCHEDULES) if not re.search(rf"[`\s]{name}`", PAGE)]


def test_the_pages_figures_are_those_of_the_rows():
    file = Path(__file__).parents[3] / "benchmarks" / "results" / "compress.jsonl"
    rows = {row["id"]: row for row in map(json.loads, file.read_text().splitlines())}
    lines = re.findall(r"^\| `(compress\.gmp\.[\w.]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(lines) >= 8
    for name, cells in lines:
        row = rows[name]
        spreads = [row.get(way) for way in ("global", "global_mt", "global_gradual", "uniform", "random")]
        told = [f"{s['mean']:.1f} ± {s['std']:.1f}" if s else "-" for s in spreads]
        assert cells.split(" | ") == [f"{row['dense']['mean']:.1f}", *told], name
