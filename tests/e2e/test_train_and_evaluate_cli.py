"""`edgehar train` and `edgehar evaluate` as typed: results, exit codes, Ctrl-C, kill, resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import PATIENCE_S, edgehar
from safetensors import safe_open
from toys import write_toy_dataset

from edgehar.bundle import open_bundle
from edgehar.cli.app import main

SMALL = ("--model", "gru", "--set", "options.hidden=8", "--window", "32", "--hop", "16", "--test-subjects", "p0")
MIXED = ("--model", "gru", "--window", "32", "--hop", "16", "--split", "mixed")
LONG = (*SMALL, "--epochs", "40", "--set", "recipe.batch=8")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "dataset").path


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """A finished run of the command line."""
    out = tmp_path_factory.mktemp("runs") / "run"
    done = edgehar("train", "--dataset", dataset, "--out", out, *SMALL, "--epochs", 2, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_train_prints_what_it_wrote(run):
    out, printed = run
    assert json.loads((out / "evaluation.json").read_text()) == printed
    assert printed["forest"]["accuracy"]["n"] == 1
    assert open_bundle(out / "gru.edgehar").manifest.provenance["command"].startswith("edgehar train --dataset")


def test_resuming_a_finished_run_shows_it_again(run, capsys):
    out, printed = run
    assert main(["train", "--out", str(out), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert f"{printed['accuracy']['mean']:.2f}" in shown
    assert "random forest" in shown


def test_evaluate_streams_the_test_people(run, dataset, capsys):
    out, _ = run
    typed = ["evaluate", str(out / "gru.edgehar"), "--dataset", str(dataset), "--runtime", "reference"]
    assert main([*typed, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["subjects"] == ["p0"]
    assert told["windows"] + told["unlabelled"] + told["no_data"] == 2 * ((240 - 32) // 16 + 1)
    assert told["forest"]["accuracy"] > 90
    assert main([*typed, "--no-forest"]) == 0
    assert "no random forest: left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("train", "--dataset", "DATASET", "--model", "gur", "--out", "NEW"), 2, "did you mean 'gru'"),
        (("train", "--out", "NEW"), 2, "give --dataset and --model"),
        (("train", "--out", "NEW", "--resume"), 3, "no run to resume"),
        (("train", "--dataset", "DATASET", *SMALL, "--out", "RUN"), 2, "--resume"),
        (("train", "--epochs", "9", "--out", "RUN", "--resume"), 2, "without other options"),
        (("train", "--seeds", "9", "--out", "RUN", "--resume"), 2, "without other options"),
        (("train", "--dataset", "DATASET", *SMALL, "--seeds", "0", "--out", "NEW"), 2, "0 seeds"),
        (("train", "--dataset", "DATASET", *SMALL, "--threads", "0", "--out", "NEW"), 2, "--threads 0"),
        (("train", "--dataset", "DATASET", *SMALL, "--rate-hz=-1", "--out", "NEW"), 2, "--rate-hz -1"),
        (("train", "--dataset", "DATASET", *SMALL, "--classes", "A", "--out", "NEW"), 2, "nothing to tell apart"),
        (("train", "--dataset", "DATASET", *SMALL, "--classes", "A=a+b,B=b", "--out", "NEW"), 2, "at most one"),
        (("train", "--dataset", "DATASET", *SMALL, "--epochs", "9", "--out", "RUN", "--resume"), 2, "recipe included"),
        (("data", "DATASET/dataset.toml/x"), 3, "is not a dataset"),
        (("train", "--dataset", "DATASET", *SMALL, "--set", "options.depth=2", "--out", "NEW"), 2, "its options are"),
        (("train", "--dataset", "DATASET", *MIXED, "--out", "NEW"), 7, "--split subject"),
        (("evaluate", "RUN/gru.edgehar", "--dataset", "DATASET", "--subjects", "p1"), 7, "--allow-leaky"),
        (
            ("evaluate", "RUN/gru.edgehar", "--dataset", "DATASET", "--official-windows"),
            2,
            "leave --official-windows and",
        ),
        (
            ("evaluate", "RUN/gru.edgehar", "--dataset", "DATASET", "--official-windows", "--windows-of", "DATASET"),
            2,
            "exclude each other",
        ),
    ],
)
def test_refusals_say_what_to_do(run, dataset, tmp_path, capsys, arguments, code, told):
    places = {"DATASET": str(dataset), "NEW": str(tmp_path / "new"), "RUN": str(run[0])}
    typed = [
        places.get(word, word.replace("RUN/", f"{run[0]}/").replace("DATASET/", f"{dataset}/")) for word in arguments
    ]
    assert main(typed) == code
    assert told in capsys.readouterr().err


def test_a_refused_run_leaves_its_directory_free(dataset, tmp_path, capsys):
    typed = ["train", "--dataset", str(dataset), "--out", str(tmp_path / "run"), *SMALL, "--epochs", "1"]
    assert main([*typed, "--classes", "dancing"]) == 2
    assert main(typed) == 0
    assert main([*typed, "--resume"]) == 0
    assert "random forest" in capsys.readouterr().out


def test_what_the_system_refuses_is_no_traceback(dataset, run, tmp_path, capsys):
    table = tmp_path / "a.csv"
    table.write_text("t_s,acc_x[g]\n0,1\n0.02,2\n0.04,3\n")
    assert main(["import", "csv", str(table), "--out", "/dev/null/x"]) == 3
    told = ["evaluate", str(run[0] / "gru.edgehar"), "--dataset", str(dataset), "--runtime", "reference", "--no-forest"]
    assert main([*told, "--plot", "/dev/null/x.png"]) == 2
    assert "next:" in capsys.readouterr().err


def start(dataset, out):
    """A long training in a process of its own, once its first epochs are on disk."""
    typed = [sys.executable, "-m", "edgehar", "train", "--dataset", str(dataset), "--out", str(out), *LONG]
    process = subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    checkpoint = out / "fold0" / "seed0" / "checkpoint.safetensors"
    deadline = time.monotonic() + PATIENCE_S
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert checkpoint.exists(), process.communicate()[1].decode()
    return process, checkpoint


def weights(out):
    bundle = open_bundle(out / "gru.edgehar")
    return {name: tensor.tobytes() for name, tensor in bundle.weights.items()}


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_stopped_training_goes_on_to_the_same_weights(dataset, tmp_path, how):
    process, checkpoint = start(dataset, tmp_path / "run")
    os.killpg(process.pid, how)
    _, told = process.communicate(timeout=PATIENCE_S)
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert f"edgehar train --out {tmp_path / 'run'} --resume" in told.decode()
        assert "Traceback" not in told.decode()
    with safe_open(checkpoint, framework="np") as file:
        done = len(json.loads(file.metadata()["state"])["history"])
    assert 1 <= done < 40
    assert edgehar("train", "--out", tmp_path / "run", "--resume").returncode == 0
    assert edgehar("train", "--dataset", dataset, "--out", tmp_path / "whole", *LONG).returncode == 0
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
