"""CSI from training to decisions: what `edgehar run` says of a replayed recording is what `edgehar evaluate` judged."""

from __future__ import annotations

import json

import pytest
from csi_toys import write_csi_dataset

from edgehar.bundle import open_bundle
from edgehar.cli.app import main
from edgehar.evaluate.run import Decisions, label_codes, stream
from edgehar.pipeline import Pipeline

TRAIN = ("--model", "csicnn", "--split", "session", "--folds", "2", "--window", "48", "--hop", "12", "--epochs", "8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A dataset of three rooms, and the bundle of a run that held out rooms."""
    folder = tmp_path_factory.mktemp("csi")
    dataset = write_csi_dataset(folder / "room")
    assert main(["train", "--dataset", str(dataset.path), *TRAIN, "--out", str(folder / "run"), "--json"]) == 0
    return dataset, folder / "run" / "csicnn.edgehar"


def test_the_bundle_wants_amplitudes_and_names_the_held_out_recordings(trained):
    _, path = trained
    manifest = open_bundle(path).manifest
    assert set(manifest.contract.units) == {"frame_mean"}
    assert (manifest.contract.kind, manifest.contract.rate_hz) == ("csi", 25.0)
    assert manifest.stamps == ("MIXED-SUBJECT",)
    assert len(manifest.provenance["test_recordings"]) in (3, 6)


def test_evaluate_judges_the_room_that_was_held_out(trained, capsys):
    dataset, path = trained
    typed = ["evaluate", str(path), "--dataset", str(dataset.path), "--runtime", "reference", "--no-forest", "--json"]
    assert main(typed) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stamps"] == ["MIXED-SUBJECT"]
    held_out = open_bundle(path).manifest.provenance["test_recordings"]
    assert 10 * len(held_out) < told["windows"] < 25 * len(held_out)
    assert told["accuracy"] > 60  # chance is 33: the room is new, the paces are not


def test_run_on_a_replayed_recording_decides_as_evaluate_did(trained, capsys):
    dataset, path = trained
    bundle = open_bundle(path)
    recording = next(r for r in dataset.recordings if r.name in bundle.manifest.provenance["test_recordings"])
    judged = Decisions()
    labels = recording.open().labels
    stream(Pipeline(bundle, "numba", clock=lambda: 0), recording, labels, label_codes(bundle, dataset), judged)
    typed = ["run", str(path), "--source", f"replay:{recording.path}?speed=0", "--sink", "jsonl:-"]
    assert main(typed) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    named = [bundle.manifest.labels.index(one["label"]) for one in told if one.get("label")]
    assert named[: len(judged.predicted)] == judged.predicted


def test_the_spectrogram_network_is_trained_and_judged_by_the_same_commands(trained, tmp_path, capsys):
    dataset, _ = trained
    typed = [*TRAIN[2:6], "--window", "60", "--hop", "12", "--epochs", "2", "--out", str(tmp_path / "run")]
    assert main(["train", "--dataset", str(dataset.path), "--model", "csieffnet", *typed]) == 0
    path = tmp_path / "run" / "csieffnet.edgehar"
    told = {}
    for runtime in ("reference", "numba"):
        capsys.readouterr()
        judged = ["evaluate", str(path), "--dataset", str(dataset.path), "--runtime", runtime, "--no-forest", "--json"]
        assert main(judged) == 0
        told[runtime] = json.loads(capsys.readouterr().out)
    assert told["reference"]["accuracy"] == pytest.approx(told["numba"]["accuracy"], abs=1.0)
    assert told["numba"]["windows"] > 60
