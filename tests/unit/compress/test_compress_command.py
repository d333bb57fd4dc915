"""`edgehar compress`: what it writes, prints and refuses."""

from __future__ import annotations

import json

import pytest

from edgehar.bundle import open_bundle, save_bundle
from edgehar.cli.app import main
from edgehar.compress.sweep import marked


@pytest.fixture
def place(toy_bundle, toy_dataset, tmp_path):
    """Arguments up to --out's value, and the directory."""
    save_bundle(toy_bundle("fastgrnn"), tmp_path / "toy.edgehar")
    return tmp_path, ["compress", str(tmp_path / "toy.edgehar"), "--dataset", str(toy_dataset.path), "--out"]


def test_prunes_and_prints_the_table(place, capsys):
    folder, start = place
    out = folder / "small.edgehar"
    assert main([*start, str(out), "--prune", "0.5", "--block", "4x1", "--epochs", "1"]) == 0
    text = capsys.readouterr().out
    assert "fastgrnn, measured on 2 people" in text
    assert "before" in text
    assert f"wrote {out}" in text
    assert open_bundle(out).manifest.provenance["compression"][0]["parameters"]["block"] == "4x1"


def test_json_holds_every_step(place, capsys):
    folder, start = place
    options = ["--factor-u", "5", "--rank-u", "4", "--iht", "0.5,0.5", "--epochs", "1", "--json"]
    assert main([*start, str(folder / "small.edgehar"), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in told["steps"]] == ["low-rank", "rank-prune", "iht"]
    assert told["bundle_sha256"] == open_bundle(folder / "small.edgehar").sha256
    assert told["steps"][2]["after"]["nonzeros"] < told["steps"][0]["before"]["nonzeros"]


def test_quantises_last(place, capsys):
    folder, start = place
    options = ["--prune", "0.5", "--quant", "int8", "--calibration", "minmax", "--epochs", "0", "--json"]
    assert main([*start, str(folder / "small.edgehar"), *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in told["steps"]] == ["prune", "quantise"]
    assert open_bundle(folder / "small.edgehar").manifest.quant["scheme"] == "int8"
    after = [step["after"] for step in told["steps"]]
    assert after[1]["packed_bytes"] < after[0]["packed_bytes"]
    assert after[1]["nonzeros"] == after[0]["nonzeros"]


def test_sweep_writes_bundles_table_and_picture(place, capsys):
    pytest.importorskip("matplotlib")
    folder, start = place
    out = folder / "sweep"
    options = ["--sweep", "0,0.5,0.9", "--quant", "int8", "--calibration", "minmax", "--epochs", "0"]
    assert main([*start, str(out), *options]) == 0
    assert "50%-int8" in capsys.readouterr().out
    points = json.loads((out / "sweep.json").read_text())["points"]
    assert [p["name"] for p in points] == ["0%", "0%-int8", "50%", "50%-int8", "90%", "90%-int8"]
    assert [p["packed_bytes"] for p in points[::2]] == sorted((p["packed_bytes"] for p in points[::2]), reverse=True)
    assert any(p["pareto"] for p in points)
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert all(open_bundle(out / p["bundle"]).sha256 == p["bundle_sha256"] for p in points)


def test_the_front_holds_what_nothing_beats():
    points = [{"accuracy": a, "packed_bytes": b} for a, b in ((90, 100), (95, 200), (94, 300), (90, 100), (80, 100))]
    assert [p["pareto"] for p in marked(points)] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "nothing to do"),
        (["--prune", "1.5"], 2, "sparsity 1.5"),
        (["--prune", "0.5", "--method", "globl"], 2, "globl"),
        (["--prune", "0.5", "--block", "4"], 2, "block '4'"),
        (["--iht", "0.5"], 2, "--iht 0.5"),
        (["--sweep", "0.5,2"], 2, "--sweep"),
        (["--prune", "0.5", "--subjects", "p0"], 7, "trained on"),
        (["--quant", "int7"], 2, "int7"),
        (["--prune", "0.5", "--calibration", "minmax"], 2, "--calibration minmax without a scheme"),
        (["--quant", "int8", "--block", "4x1"], 2, "settings of a pruning without one"),
        (["--sweep", "0,0.5", "--prune", "0.3"], 2, "--prune 0.3 beside --sweep"),
    ],
)
def test_refusals_name_what_is_wrong_and_write_nothing(options, code, message, place, capsys):
    folder, start = place
    assert main([*start, str(folder / "no.edgehar"), "--epochs", "0", *options]) == code
    told = capsys.readouterr().err
    assert message in told
    assert "next:" in told
    assert not (folder / "no.edgehar").exists()


def test_a_place_that_cannot_be_written_is_refused_before_training(place, capsys):
    folder, start = place
    assert main([*start, str(folder / "none" / "small.edgehar"), "--prune", "0.5"]) == 3
    assert main([*start, str(folder), "--prune", "0.5"]) == 2
    assert "is a directory" in capsys.readouterr().err


def test_a_bundle_is_not_written_over_itself(place, capsys):
    folder, start = place
    before = (folder / "toy.edgehar").read_bytes()
    assert main([*start, str(folder / "toy.edgehar"), "--quant", "int8"]) == 2
    assert "is the bundle that is compressed" in capsys.readouterr().err
    assert (folder / "toy.edgehar").read_bytes() == before


def test_negative_epochs_are_refused(place, capsys):
    folder, start = place
    assert main([*start, str(folder / "small.edgehar"), "--prune", "0.5", "--epochs", "-5"]) == 2
    assert "--epochs -5" in capsys.readouterr().err
    assert not (folder / "small.edgehar").exists()


@pytest.mark.parametrize(
    ("options", "told"), [(["--prune", "0.5"], "nothing was written to"), (["--sweep", "0"], "done")]
)
def test_ctrl_c_says_what_is_there(place, capsys, monkeypatch, options, told):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    folder, start = place
    monkeypatch.setattr("edgehar.compress.steps.compress", interrupted)
    monkeypatch.setattr("edgehar.compress.sweep.sweep", interrupted)
    before = set(folder.iterdir())
    assert main([*start, str(folder / "small"), *options]) == 130
    error = capsys.readouterr().err
    assert "interrupted" in error
    assert told in error
    if "--prune" in options:
        assert set(folder.iterdir()) == before
