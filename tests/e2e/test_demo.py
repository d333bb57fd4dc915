"""`edgehar demo`: real recordings where they are, a marked simulation where they are not."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import open_bundle, save_bundle
from edgehar.cli.app import main
from edgehar.datasets.seglearn import open_seglearn
from edgehar.datasets.session import ImportOptions
from edgehar.demo import BUNDLE
from edgehar.demo.person import EXERCISES, held_out
from edgehar.demo.score import Score
from edgehar.errors import InputError, MissingError
from edgehar.sources import open_source
from edgehar.tally import DecisionTally
from edgehar.types import Activity, Status


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Random weights for the demo's sensor and classes: it plays, it does not recognise."""
    path = tmp_path_factory.mktemp("demo") / "random.edgehar"
    made = random_bundle("fastgrnn", window=100, hop=50, classes=7)
    manifest = replace(
        made.manifest, labels=tuple(EXERCISES), provenance={"test_subjects": ["01"], "command": "edgehar train X"}
    )
    save_bundle(replace(made, manifest=manifest), path)
    return path


@pytest.fixture(scope="module")
def watch_recordings():
    try:
        return open_seglearn(Path("installed"), ImportOptions())
    except MissingError as error:
        pytest.skip(f"{error}: {error.hint}")


def demo(capsys, *arguments):
    code = main(["demo", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_without_the_recordings_it_says_so_and_shows_simulated_data(bundle, capsys, tmp_path):
    code, out, _ = demo(capsys, "--bundle", bundle, "--data", tmp_path / "none.whl", "--speed", 0)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("SIMULATED: no real recording is shown, because there is no file")
    assert "pip download" in lines[1]
    decisions = [line for line in lines if " ms" not in line and line.strip()[:1].isdigit()]
    assert len(decisions) == 299
    assert all(line.endswith("SIMULATED") for line in decisions)
    [accuracy] = [line for line in lines if line.startswith("accuracy")]
    assert "on simulated data only" in accuracy
    assert lines[-1] == "train the same model: edgehar train X"


def test_json_is_one_object_and_tells_simulated_from_real(bundle, capsys):
    code, out, err = demo(capsys, "--bundle", bundle, "--simulate", "--speed", 0, "--json")
    summary = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert summary["simulated"]
    assert "SIMULATED" in summary["data"]
    assert summary["why_simulated"]
    assert summary["judged"] < summary["decisions"] == 299  # windows across a change of activity are not judged
    assert summary["latency_p50_ms"] <= summary["latency_p99_ms"]


def test_accuracy_counts_only_windows_of_one_activity_and_missing_decisions_as_wrong():
    class Labelled:
        def label_at(self, t_dev_ns):
            return "walk" if t_dev_ns < 10 else "sit"

    class Judged:
        def __init__(self, label, t0, t1, status=Status.OK):
            self.activity = Activity(t1, label, 0.5, status, 1.0, 1, "m")
            self.t0_dev_ns, self.t1_dev_ns = t0, t1

    class Pipeline:
        last_judged = (
            Judged("walk", 0, 9),
            Judged("walk", 5, 14),
            Judged("walk", 10, 19),
            Judged("", 20, 29, Status.NO_DATA),
        )

    score = Score(Pipeline(), DecisionTally())
    score.watch(Labelled())
    for judged in Pipeline.last_judged:
        score.add(judged.activity)
    assert (dict(score.judged), score.right.total()) == ({"walk": 1, "sit": 2}, 1)
    assert score.accuracy_percent == pytest.approx(100 / 3)


def test_the_held_out_person_is_played_whole_and_unchanged(watch_recordings):
    sessions = [session for session in watch_recordings.sessions if session.subject == "07"]

    async def read(address):
        async with open_source(f"{address}?speed=0") as source:
            return np.concatenate([chunk.x async for chunk in source]), source.label_at(0)

    with held_out("07", Path("installed")) as cast:
        played = [asyncio.run(read(take.address)) for take in cast.takes]
    assert cast.why_simulated is None
    assert len(played) == len(sessions) == 14
    for (x, label), session in zip(played, sessions, strict=True):
        assert np.array_equal(x, session.x)
        assert label == session.labels[0].label
    with pytest.raises(InputError, match="'99'"), held_out("99", Path("installed")):
        pass


@pytest.mark.skipif(not BUNDLE.exists(), reason="the demo's bundle has not been trained yet: make demo-bundle")
def test_the_shipped_bundle_is_small_and_says_who_was_held_out():
    bundle = open_bundle(BUNDLE)
    people = bundle.manifest.provenance
    assert sum(weights.nbytes for weights in bundle.weights.values()) < 150_000
    assert BUNDLE.stat().st_size < 1_000_000  # nearly all of it golden windows: real input to prove a runtime with
    assert len(bundle.golden["x"]) >= 200
    assert len(people["test_subjects"]) == 1
    assert not set(people["test_subjects"]) & {*people["train_subjects"], *people["validation_subjects"]}
    assert bundle.manifest.labels == tuple(EXERCISES)
    assert not bundle.manifest.stamps


@pytest.mark.skipif(not BUNDLE.exists(), reason="the demo's bundle has not been trained yet: make demo-bundle")
def test_the_shipped_bundle_recognises_the_held_out_person(watch_recordings, capsys):
    code, out, _ = demo(capsys, "--speed", 0, "--json")
    summary = json.loads(out)
    assert code == 0
    assert not summary["simulated"]
    assert summary["judged"] > 200
    assert summary["accuracy_percent"] > 60  # one in seven would be 14
