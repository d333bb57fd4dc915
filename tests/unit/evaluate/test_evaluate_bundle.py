"""What an evaluation counts, and the marks that it carries: decisions without data, simulated people, no forest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import Bundle
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source, label_runs
from edgehar.datasets.store import write_dataset
from edgehar.errors import InputError, MissingError
from edgehar.evaluate.forest import forest_beside
from edgehar.evaluate.run import evaluate_bundle
from edgehar.types import StreamSpec

SPEC = StreamSpec("imu", ("acc_x", "acc_y", "acc_z"), 50.0, ("g",) * 3)
N = 400


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return random_bundle("gru", channels=3, classes=2)


def made(path, bundle: Bundle, *, step_ns: int = 20_000_000, spec: StreamSpec = SPEC, name: str = "here") -> Dataset:
    """One recording of person p, half of either class, sampled every `step_ns`."""
    labels = bundle.manifest.labels
    t_ns = np.arange(N) * step_ns
    x = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    runs = label_runs(np.arange(N) * 2 // N, t_ns, 1e9 / step_ns, labels)
    session = Session("p", "a", spec, t_ns, np.arange(N), x, runs)
    return write_dataset(Source(About(name=name, format="test", labels=labels), [session], 1), path)


def test_windows_that_name_nothing_count_as_no_data(bundle, tmp_path):
    # 27 Hz where 50 are promised: out of contract, and too few real samples for a label.
    slow = made(tmp_path / "slow", bundle, step_ns=37_000_000)
    with pytest.raises(InputError, match=r"0 windows have none, [1-9]\d* no data"):
        evaluate_bundle(bundle, slow, runtime="reference")


def test_simulated_recordings_are_marked(bundle, tmp_path):
    real = evaluate_bundle(bundle, made(tmp_path / "real", bundle), runtime="reference")
    simulated = made(tmp_path / "made", bundle, spec=replace(SPEC, simulated=True))
    assert real["stamps"] == []
    assert evaluate_bundle(bundle, simulated, runtime="reference")["stamps"] == ["SIMULATED"]


def test_recordings_that_were_not_cut_are_counted(bundle, tmp_path):
    here, there = made(tmp_path / "here", bundle), made(tmp_path / "there", bundle)
    (there.path / "recordings" / "p_a.mcap").rename(there.path / "recordings" / "q_a.mcap")
    with pytest.raises(InputError, match="1 recordings are not in the dataset"):
        evaluate_bundle(bundle, here, windows_of=Dataset.open(there.path), runtime="reference")


def test_forest_is_left_out_where_a_class_is_missing(bundle, tmp_path):
    known = replace(bundle.manifest, provenance={"dataset": "here", "train_subjects": ["p"]})
    wider = replace(known, labels=(*known.labels, "jumping"))
    dataset = made(tmp_path / "here", bundle)
    with pytest.raises(MissingError, match="no label jumping"):
        forest_beside(Bundle(wider, bundle.weights, {}, {}), dataset, ["q"])
    with pytest.raises(MissingError, match="does not hold the people"):
        forest_beside(Bundle(known, bundle.weights, {}, {}), dataset, ["p"])
