"""Compression rows: what a name stands for, and how the runs behind a row are put together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """benchmarks/compress.py and its siblings, importable as they are when it runs."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import compress

    yield compress
    for name in ("compress", "accuracy", "jobs", "rows", "tasks"):
        sys.modules.pop(name, None)


def test_a_name_stands_for_its_row_or_for_all_below_it(script):
    assert script.wanted(["compress.gmp.cnn.90"]) == {"cnn": [90]}
    assert script.wanted(["compress.gmp.cnn", "compress.gmp.l2mu.80"]) == {"cnn": [80, 90, 95, 98], "l2mu": [80]}
    assert set(script.wanted(["compress.gmp"])) == {"fastgrnn", "cnn", "l2mu"}
    for name in script.MODELS.values():
        assert (BENCHMARKS / "recipes" / f"{name}.toml").exists()


class Source:
    """Answers as a `Source` of the script, from a formula."""

    def __init__(self, seed):
        self.seed = seed
        self.bundle = type("Bundle", (), {"sha256": f"sha{seed}"})
        self.data = type("Data", (), {"stamps": ()})

    def figures(self, variant, sparsity):
        lost = {"dense": 0, "global": 1, "uniform": 2, "random": 8, "global_mt": 1, "global_gradual": 0.5}[variant]
        counts = {"W": [10, 100], "fc": [0 if variant == "global" else 3, 6], "b": [0, 5]}
        return {
            "accuracy": 95.0 + self.seed - lost,
            "worst_subject": 80.0,
            "packed_bytes": 100,
            "dense_bytes": 400,
            "unit": "MAC",
            "dense": 1000,
            "effective": 200,
            "tensors": counts,
            "prunable": ["W", "fc"],
        }


def test_a_row_sets_global_pruning_beside_the_others(script):
    row = script.row_of("fastgrnn", 90, [Source(0), Source(1), Source(2)])
    assert (row.id, row.value, row.std, row.n) == ("compress.gmp.fastgrnn.90", 95.0, 1.0, 3)
    assert row.extras["dense"] == {"mean": 96.0, "std": 1.0}
    assert row.extras["random"]["mean"] == 88.0
    assert row.extras["least_kept"]["global"] == ["fc", 0.0]
    assert row.extras["least_kept"]["uniform"] == ["W", 10.0]
    assert row.bundle_sha256 == "sha0"
    assert row.split == "uci_har, fold 0"
    assert set(script.row_of("l2mu", 90, [Source(0)]).extras["least_kept"]) == set(script.VARIANTS) - {"global_gradual"}


def test_finished_runs_come_from_the_cache(script, tmp_path, monkeypatch):
    source = script.Source("cnn", 3, type("Bundle", (), {"sha256": "ab" * 32}), None, tmp_path)
    calls = []

    def measured(bundle, data):
        calls.append(bundle)
        return {"accuracy": 90.0}

    monkeypatch.setattr(script, "figures", measured)
    assert source.figures("dense", 0) == source.figures("dense", 0) == {"accuracy": 90.0}
    assert len(calls) == 1
