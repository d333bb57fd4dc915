"""Steps on trained toy bundles: what they promise of weights, people, preprocessing and provenance."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from edgehar.bundle import open_bundle, save_bundle
from edgehar.compress.blocks import Block, block_zeros, units_of
from edgehar.compress.data import Data
from edgehar.compress.finetune import RECIPES, recipe_for
from edgehar.compress.report import step_table
from edgehar.compress.steps import IHT, Context, LowRank, Prune, RankPrune, compress
from edgehar.errors import UsageError
from edgehar.manifest import FAMILIES
from edgehar.models import restore_model
from edgehar.runtimes.digests import changed
from edgehar.runtimes.golden import check_golden

torch.set_num_threads(1)


def matrices(bundle):
    model = restore_model(bundle.manifest, bundle.weights)
    return {name: bundle.weights[name] for name in model.matrices()}


def sparsity(bundle):
    tensors = matrices(bundle).values()
    return sum((w == 0).sum() for w in tensors) / sum(w.size for w in tensors)


@pytest.mark.parametrize("family", ["cnn", "fastgrnn", "l2mu"])
@pytest.mark.parametrize("method", ["global", "uniform", "random"])
def test_the_bundle_has_the_zeros_that_were_asked_for(family, method, toy_bundle, toy_dataset):
    bundle = toy_bundle(family)
    small, (report,) = compress(bundle, toy_dataset, [Prune(0.6, method)], epochs=1)
    assert sparsity(small) == pytest.approx(0.6, abs=0.03)
    counts = report.after["tensors"]
    assert counts == {name: [int(np.count_nonzero(w)), w.size] for name, w in sorted(small.weights.items())}
    assert report.after["nonzeros"] < 0.6 * report.before["nonzeros"]
    assert report.after["effective"] < report.before["effective"]


@pytest.mark.parametrize("step", [Prune(0.75, "uniform"), Prune(0.75, "random"), Prune(0.75, schedule="gradual")])
def test_pruning_again_brings_no_zero_back(step, toy_bundle, toy_dataset):
    # A threshold of the whole network empties some tensors beyond what other methods take from them.
    once, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.6)], epochs=0)
    twice, _ = compress(once, toy_dataset, [step], epochs=2)
    after = matrices(twice)
    for name, before in matrices(once).items():
        assert not after[name][before == 0].any(), name
    assert sparsity(twice) >= 0.74


def test_less_pruning_than_there_is_already_is_refused(toy_bundle, toy_dataset):
    once, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.8)], epochs=0)
    with pytest.raises(UsageError, match=r"(79|80)\.\d % of the weights of .* are zero already") as caught:
        compress(once, toy_dataset, [Prune(0.5)], epochs=0)
    assert "prune more than 0.5" not in caught.value.hint
    assert "prune more than 0." in caught.value.hint


@pytest.mark.parametrize("family", ["cnn", "fastgrnn", "l2mu"])
def test_a_compressed_bundle_opens_verifies_and_keeps_its_preprocessing(family, toy_bundle, toy_dataset, tmp_path):
    bundle = toy_bundle(family)
    small, _ = compress(bundle, toy_dataset, [Prune(0.5)], epochs=1)
    save_bundle(small, tmp_path / "small.edgehar")
    opened = open_bundle(tmp_path / "small.edgehar")
    assert opened.manifest.preprocess == bundle.manifest.preprocess
    assert opened.manifest.contract == bundle.manifest.contract
    np.testing.assert_array_equal(opened.golden["x"], bundle.golden["x"])
    assert not np.array_equal(opened.golden["logits"], bundle.golden["logits"])
    check_golden(opened, "small")
    assert changed(opened) == ()


def test_fine_tuning_brings_accuracy_back(toy_bundle, toy_dataset):
    bundle = toy_bundle("cnn")
    data = Data.of(bundle, toy_dataset)
    cut, tuned = (compress(bundle, data, [Prune(0.8)], epochs=n)[1][0].after["accuracy"] for n in (0, 80))
    assert tuned > cut + 10
    assert tuned > 85


def test_the_same_seed_gives_the_same_bundle(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    one, again, other = (compress(bundle, toy_dataset, [Prune(0.7)], seed=s, epochs=1)[0] for s in (1, 1, 2))
    assert all(np.array_equal(one.weights[n], again.weights[n]) for n in one.weights)
    assert any(not np.array_equal(one.weights[n], other.weights[n]) for n in one.weights)


def test_whole_blocks_of_zeros_survive_fine_tuning_and_export(toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle("cnn"), toy_dataset, [Prune(0.75, block=Block(4, 1))], epochs=1)
    tensors = matrices(small)
    units = units_of(tensors, "cnn", Block(4, 1))
    for name, tensor in tensors.items():
        zeros = int((tensor == 0).sum())
        dead, _ = block_zeros(tensor, units[name])
        assert dead * 4 >= zeros > 0


def test_gradual_ends_where_one_shot_does(toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.8, schedule="gradual")], epochs=2)
    assert sparsity(small) == pytest.approx(0.8, abs=0.01)


def test_a_minimum_threshold_keeps_weights_in_every_tensor(toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.8, min_threshold=4)], epochs=0)
    total = sum(w.size for w in matrices(small).values())
    assert min(np.count_nonzero(w) for w in matrices(small).values()) >= int(0.04 * total)
    assert sparsity(small) == pytest.approx(0.8, abs=0.01)


def test_zeros_of_an_earlier_step_stay(toy_bundle, toy_dataset):
    small, reports = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.7), RankPrune(rank_u=4)], epochs=1)
    assert [r.step for r in reports] == ["prune", "rank-prune"]
    first = reports[0].after["tensors"]
    assert all(np.count_nonzero(w) <= first[name][0] for name, w in matrices(small).items())


def test_rank_pruning_gives_a_smaller_model(toy_bundle, toy_dataset):
    small, (report,) = compress(toy_bundle("fastgrnn"), toy_dataset, [RankPrune(2, 3)], epochs=1)
    assert (small.manifest.model["rank_w"], small.manifest.model["rank_u"]) == (2, 3)
    assert small.weights["U2"].shape == (12, 3)
    assert report.after["parameters"] < report.before["parameters"]
    assert report.after["dense"] < report.before["dense"]


def test_a_dense_matrix_is_factorised(toy_bundle, toy_dataset):
    low, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [LowRank(rank_u=2)], epochs=0)
    bundle = toy_bundle("fastgrnn")
    product = bundle.weights["U1"] @ bundle.weights["U2"].T
    nearest = low.weights["U1"] @ low.weights["U2"].T
    expected = np.sqrt((np.linalg.svd(product)[1][2:] ** 2).sum())
    assert np.linalg.norm(product - nearest) == pytest.approx(expected, rel=1e-3)


def test_hard_thresholding_keeps_its_fractions(toy_bundle, toy_dataset):
    small, _ = compress(toy_bundle("fastgrnn"), toy_dataset, [IHT(0.5, 0.25)], epochs=3)
    kept = {n: np.count_nonzero(w) / w.size for n, w in matrices(small).items()}
    assert kept == pytest.approx({"W1": 0.5, "W2": 0.5, "U1": 0.25, "U2": 0.25, "fc_w": 1.0}, abs=0.06)


def test_a_collapsed_layer_is_named(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    faint = replace(bundle, weights={**bundle.weights, "W2": bundle.weights["W2"] * np.float32(1e-4)})
    _, (collapsed,) = compress(faint, toy_dataset, [Prune(0.8)], epochs=0)
    _, (kept,) = compress(faint, toy_dataset, [Prune(0.8, min_threshold=1)], epochs=0)
    assert "all of W2 was pruned (layer collapse): try --min-threshold" in step_table(collapsed)
    assert "collapse" not in step_table(kept)


def test_provenance_records_every_step(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    small, reports = compress(bundle, toy_dataset, [Prune(0.5, block=Block(4, 1)), IHT(0.4, 0.4)], seed=3, epochs=1)
    history = small.manifest.provenance["compression"]
    assert [step["step"] for step in history] == ["prune", "iht"]
    assert history[0]["parameters"] == {
        "sparsity": 0.5, "method": "global", "schedule": "one-shot", "min_threshold": 0.0, "block": "4x1",
        "seed": 3, "epochs": 1,
    }  # fmt: skip
    assert history[1]["before"] == history[0]["after"]
    assert history[1]["after"]["accuracy"] == small.evaluation["test"]["accuracy"]
    assert small.manifest.model_id == "fastgrnn+prune+iht"
    for key in ("train_subjects", "test_subjects", "dataset", "versions"):
        assert small.manifest.provenance[key] == bundle.manifest.provenance[key]
    json.dumps(reports[0].to_dict())


def test_the_table_names_everybody_and_every_tensor(toy_bundle, toy_dataset):
    _, (report,) = compress(toy_bundle("fastgrnn"), toy_dataset, [Prune(0.5)], epochs=0)
    text = step_table(report)
    for word in ("p4", "p5", "U1", "fc_w", "worst person %", "MACs, effective", "bytes, packed", "validation people"):
        assert word in text


@pytest.mark.parametrize(
    ("family", "step", "message"),
    [
        ("cnn", RankPrune(2, 2), "no low-rank form"),
        ("cnn", IHT(0.5, 0.5), "FastGRNN's own"),
        ("fastgrnn", RankPrune(rank_w=4), "rank_w 4 for a matrix W of rank 3"),
        ("fastgrnn", LowRank(), "no rank"),
        ("fastgrnn", Prune(0.5, schedule="gradual"), "0 epochs"),
    ],
)
def test_steps_that_do_not_suit_are_refused(family, step, message, toy_bundle, toy_dataset):
    with pytest.raises(UsageError, match=message):
        compress(toy_bundle(family), toy_dataset, [step], epochs=0)


def test_a_quantised_bundle_is_not_pruned(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    quantised = replace(bundle, manifest=replace(bundle.manifest, quant={"scheme": "int8"}))
    with pytest.raises(UsageError, match="quantised"):
        Prune(0.5).apply(Context(quantised, Data.of(bundle, toy_dataset), epochs=0))


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 1.0},
        {"sparsity": 0.0},
        {"method": "local"},
        {"schedule": "slow"},
        {"method": "random", "min_threshold": 1.0},
        {"min_threshold": -1.0},
        {"min_threshold": 100.0},
    ],
)
def test_bad_pruning_is_refused_before_anything_runs(options):
    with pytest.raises(UsageError):
        Prune(**{"sparsity": 0.5, **options})


@pytest.mark.parametrize("fractions", [(0.0, 0.5), (0.5, 1.5), (0.5, 0.5, 0)])
def test_bad_thresholding_is_refused_before_anything_runs(fractions):
    with pytest.raises(UsageError, match="hard thresholding"):
        IHT(*fractions)


def test_every_family_has_a_recipe_that_decays_less_the_sparser_it_gets(toy_bundle):
    assert set(RECIPES) == set(FAMILIES)
    bundle = toy_bundle("cnn")
    dense, sparse = recipe_for(bundle, 1.0), recipe_for(bundle, 0.1, epochs=2)
    assert sparse.weight_decay == pytest.approx(0.1 * dense.weight_decay)
    assert sparse.epochs == 2
    assert sparse.augment.scale == 0.1
