"""A run: its files, its refusals, and that an interrupted run resumes to the same result."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toys import write_toy_dataset

from edgehar.bundle import open_bundle, verify_bundle
from edgehar.datasets.splits import Split, make_split
from edgehar.datasets.windows import cut
from edgehar.errors import InputError, LeakageError, MissingError, UsageError
from edgehar.evaluate.run import evaluate_bundle
from edgehar.train.run import Reporter, audited, execute, open_run
from edgehar.train.run_config import RunConfig, choose_split
from edgehar.train.settings import Settings

SETTINGS = Settings({"hidden": 8}).changed(
    ["recipe.epochs=3", "recipe.lr=0.03", "recipe.batch=16", "recipe.ema=0.8", "recipe.select='best-validation'"]
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "dataset")


def config(dataset, **changes):
    given = {"model": "gru", "settings": SETTINGS, "folds": 2, "window": 32, "hop": 16, **changes}
    return RunConfig(dataset=str(dataset.path), **given)


def files(out):
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def test_a_run_holds_what_it_says(dataset, tmp_path):
    out = tmp_path / "run"
    evaluation = execute(open_run(out, config(dataset, seeds=2), resume=False), out)
    per_job = {f"fold{f}/seed{s}/{name}" for f in (0, 1) for s in (0, 1) for name in ("gru.edgehar", "result.json")}
    assert files(out) == per_job | {
        "config.json",
        "evaluation.json",
        "gru.edgehar",
        "fold0/forest.json",
        "fold1/forest.json",
    }
    assert json.loads((out / "evaluation.json").read_text()) == evaluation
    assert evaluation["accuracy"]["n"] == 4
    assert set(evaluation["per_subject"]) == {f"p{i}" for i in range(6)}
    assert evaluation["forest"]["accuracy"]["mean"] > 90
    assert evaluation["stamps"] == []
    chosen = evaluation["chosen"]
    validations = [run["validation"] for run in evaluation["runs"]]
    best = next(r for r in evaluation["runs"] if (r["fold"], r["seed"]) == (chosen["fold"], chosen["seed"]))
    assert best["validation"] == max(validations)


def test_the_bundle_is_what_was_trained(dataset, tmp_path):
    out = tmp_path / "run"
    evaluation = execute(open_run(out, config(dataset), resume=False), out)
    verified = verify_bundle(out / "gru.edgehar")
    assert verified["argmax_agreement"] == 1.0
    bundle = open_bundle(out / "gru.edgehar")
    provenance = bundle.manifest.provenance
    sides = [set(provenance[f"{side}_subjects"]) for side in ("train", "validation", "test")]
    assert set.union(*sides) == {f"p{i}" for i in range(6)}
    assert sum(map(len, sides)) == 6
    # The shipped pipeline at the free-running hop gives the accuracy that the run reported.
    told = evaluate_bundle(bundle, dataset, runtime="reference")
    run = evaluation["runs"][evaluation["chosen"]["fold"]]
    assert told["subjects"] == sorted(sides[2])
    assert told["accuracy"] == pytest.approx(run["test"]["accuracy"], abs=8)  # other windows: the stream is not cut


def test_the_pipeline_decides_as_torch_did_on_the_same_windows(tmp_path):
    made = write_toy_dataset(tmp_path / "cut", window=32, hop=24)
    lifted = SETTINGS.changed(
        [
            "recipe.magnitudes=true",
            "recipe.compand=20.0",
            "recipe.rectify_channels=['acc_x', 'acc_z']",
            "recipe.augment.jitter=0.01",
        ]
    )
    given = RunConfig(dataset=str(made.path), model="gru", settings=lifted, test_subjects=("p2", "p3"))
    out = tmp_path / "run"
    run = execute(open_run(out, given, resume=False), out)["runs"][0]
    assert verify_bundle(out / "gru.edgehar")["argmax_agreement"] == 1.0
    told = evaluate_bundle(open_bundle(out / "gru.edgehar"), made, windows_of=made, runtime="reference")
    for figure in ("windows", "accuracy", "macro_f1", "confusion", "per_subject"):
        assert told[figure] == run["test"][figure]
    assert told["calibration_error"] == pytest.approx(run["test"]["calibration_error"], abs=0.01)
    assert told["unlabelled"] == told["no_data"] == 0


def test_interrupted_run_resumes_to_the_same_bundle(dataset, tmp_path):
    def stop(_fold, seed, record):
        if seed == 1 and record.epoch == 1:
            raise KeyboardInterrupt

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    given = config(dataset, seeds=2, test_subjects=("p0",))
    expected = execute(open_run(whole, given, resume=False), whole)
    with pytest.raises(KeyboardInterrupt):
        execute(open_run(broken, given, resume=False), broken, Reporter(epoch=stop))
    seen = []
    resumed = open_run(broken, None, resume=True)
    evaluation = execute(resumed, broken, Reporter(epoch=lambda *told: seen.append((told[1], told[2].epoch))))
    assert seen == [(1, 2)]
    hashes = [[run["bundle_sha256"] for run in table["runs"]] for table in (expected, evaluation)]
    assert hashes[0] == hashes[1]


def test_a_model_that_could_not_stream_is_refused_before_training(dataset, tmp_path):
    out = tmp_path / "run"
    odd = config(dataset, model="cnn", settings=Settings().changed(["recipe.epochs=1000"]), window=64, hop=15)
    with pytest.raises(UsageError, match="multiple of 4") as caught:
        execute(open_run(out, odd, resume=False), out)
    assert "--hop" in caught.value.hint


def test_run_directories_do_not_mix(dataset, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(MissingError):
        open_run(out, None, resume=True)
    open_run(out, config(dataset), resume=False)
    with pytest.raises(UsageError, match="not empty") as caught:
        open_run(out, config(dataset), resume=False)
    assert "--resume" in caught.value.hint
    (out / "config.json").write_text('{"dataset": "x", "colour": 1}')
    with pytest.raises(InputError, match="colour"):
        open_run(out, None, resume=True)


def test_config_round_trip(dataset):
    given = config(dataset, classes={"moving": ["slow", "fast"]}, test_subjects=("p0",))
    assert RunConfig.from_dict(json.loads(json.dumps(given.to_dict())), where="x") == given


def test_leaky_split_is_refused_or_stamped_everywhere(dataset, tmp_path):
    mixed = config(dataset, split="mixed", hop=16)
    with pytest.raises(LeakageError):
        execute(open_run(tmp_path / "a", mixed, resume=False), tmp_path / "a")
    out = tmp_path / "b"
    evaluation = execute(open_run(out, config(dataset, split="mixed", allow_leaky=True), resume=False), out)
    assert evaluation["stamps"] == ["LEAKY", "MIXED-SUBJECT"]
    assert set(open_bundle(out / "gru.edgehar").manifest.stamps) == {"LEAKY", "MIXED-SUBJECT"}


def test_validation_people_must_not_be_tested(dataset):
    """A recipe may train on the validation people, so they count as trained on."""
    windows = cut(dataset, window=32, hop=32)
    p0, rest = np.flatnonzero(windows.subject == "p0"), np.flatnonzero(windows.subject != "p0")
    split = Split("made", "subject", ())
    with pytest.raises(LeakageError):
        audited(windows, [(rest, p0, p0)], split, allow_leaky=False)
    assert audited(windows, [(rest, p0, p0)], split, allow_leaky=True) == ("LEAKY",)


def test_a_leak_in_the_last_fold_is_refused_before_the_first_trains(dataset, tmp_path):
    folds = [{"train": ["p1"], "validation": [], "test": ["p0"]}, {"train": ["p1"], "validation": [], "test": ["p2"]}]
    head = {"schema_version": 1, "name": "made", "dataset": "toy", "protocol": "subject", "seed": 0, "by": "subject"}
    path = tmp_path / "split.json"
    path.write_text(json.dumps({**head, "dataset": "elsewhere", "folds": folds}))
    with pytest.raises(UsageError, match="elsewhere"):
        choose_split(config(dataset, split=str(path)), dataset)
    windows = cut(dataset, window=32, hop=16)
    rows = [fold.indices(windows) for fold in make_split(dataset, "subject", k=2).folds]
    rows[-1] = (rows[-1][0], rows[-1][1], rows[-1][0])
    with pytest.raises(LeakageError):
        audited(windows, rows, Split("made", "subject", ()), allow_leaky=False)


def test_simulated_recordings_stamp_the_bundle(tmp_path):
    made = write_toy_dataset(tmp_path / "dataset", simulated=True)
    evaluation = execute(open_run(tmp_path / "run", config(made), resume=False), tmp_path / "run")
    assert evaluation["stamps"] == ["SIMULATED"]
    assert open_bundle(tmp_path / "run" / "gru.edgehar").manifest.stamps == ("SIMULATED",)


def test_mixed_without_overlap_is_stamped(dataset, tmp_path):
    out = tmp_path / "run"
    evaluation = execute(open_run(out, config(dataset, split="mixed", window=20, hop=20), resume=False), out)
    assert evaluation["stamps"] == ["MIXED-SUBJECT"]


def test_merged_classes_reach_the_bundle(dataset, tmp_path):
    out = tmp_path / "run"
    merged = {"resting": ["still"], "moving": ["slow", "fast"]}
    execute(open_run(out, config(dataset, classes=merged, test_subjects=("p1",)), resume=False), out)
    bundle = open_bundle(out / "gru.edgehar")
    assert bundle.manifest.labels == ("resting", "moving")
    told = evaluate_bundle(bundle, dataset, runtime="reference")
    assert told["subjects"] == ["p1"]
    assert sum(row["windows"] for row in told["per_class"].values()) == told["windows"]
    assert told["unlabelled"] > 0  # windows across the edge of two labels


def test_people_the_bundle_knows_are_refused(dataset, tmp_path):
    out = tmp_path / "run"
    execute(open_run(out, config(dataset, test_subjects=("p1",)), resume=False), out)
    bundle = open_bundle(out / "gru.edgehar")
    with pytest.raises(LeakageError, match="p2"):
        evaluate_bundle(bundle, dataset, subjects=("p1", "p2"), runtime="reference")
    told = evaluate_bundle(bundle, dataset, subjects=("p1", "p2"), runtime="reference", allow_leaky=True)
    assert told["stamps"] == ["LEAKY"]
    with pytest.raises(UsageError, match="nobody"):
        evaluate_bundle(bundle, dataset, subjects=("nobody",), runtime="reference")
