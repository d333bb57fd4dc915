"""Who is trained on and who is tested, and the preprocessing that stays as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import write_toy_dataset

from edgehar.compress.data import Data, bundle_normaliser
from edgehar.compress.steps import Prune, compress
from edgehar.datasets.dataset import Dataset
from edgehar.errors import ContractError, InputError, LeakageError, MissingError
from edgehar.train.normalise import Normaliser


def people(windows):
    return set() if windows is None else set(windows.subject)


def changed(bundle, **provenance):
    return replace(bundle, manifest=replace(bundle.manifest, provenance={**bundle.manifest.provenance, **provenance}))


def test_people_are_those_of_the_provenance(toy_bundle, toy_dataset):
    data = Data.of(toy_bundle("fastgrnn"), toy_dataset)
    provenance = toy_bundle("fastgrnn").manifest.provenance
    assert people(data.train) == set(provenance["train_subjects"])
    assert people(data.validation) == set(provenance["validation_subjects"])
    assert people(data.test) == {"p4", "p5"}
    assert not people(data.test) & (people(data.train) | people(data.validation))


def test_golden_windows_come_out_of_the_normaliser_again(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    data = Data.of(bundle, toy_dataset)
    x = data.normaliser(data.validation.x)
    golden = {w.tobytes() for w in bundle.golden["x"]}
    assert golden == {w.tobytes() for w in x}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compand": 20.0, "compand_channels": ("acc_y",)},
        {"rectify_channels": ("acc_z", "acc_x")},
        {"magnitudes": True, "compand": 5.0, "rectify_channels": ("acc_x",)},
    ],
)
def test_a_normaliser_is_read_back_from_its_operations(options, toy_bundle, toy_dataset):
    channels = ("acc_x", "acc_y", "acc_z")
    x = np.random.default_rng(0).normal(2, 3, (20, 16, 3)).astype(np.float32)
    fitted = Normaliser.fit(x, channels=channels, **options)
    bundle = toy_bundle("fastgrnn")
    bundle = replace(bundle, manifest=replace(bundle.manifest, preprocess=tuple(fitted.ops(channels))))
    found = bundle_normaliser(bundle, toy_dataset)
    np.testing.assert_array_equal(found(x), fitted(x))


@pytest.mark.parametrize(
    "ops",
    [
        (),
        ({"op": "scale", "factors": [1, 1, 1]},),
        ({"op": "normalize", "mean": [0, 0], "std": [1, 1]},),
        ({"op": "normalize", "mean": [0, 0, 0], "std": [1, 1, 1]}, {"op": "rectify"}),
        ({"op": "normalize", "mean": [0, 0, 0], "std": [1, 1, 1]}, {"op": "concat", "parts": [[], []]}),
    ],
)
def test_preprocessing_that_training_does_not_make_is_refused(ops, toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    bundle = replace(bundle, manifest=replace(bundle.manifest, preprocess=ops))
    with pytest.raises(InputError, match="preprocessing"):
        bundle_normaliser(bundle, toy_dataset)


def test_testing_on_training_people_is_refused_or_stamped(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    trained_on = bundle.manifest.provenance["train_subjects"][0]
    with pytest.raises(LeakageError, match=trained_on):
        Data.of(bundle, toy_dataset, subjects=[trained_on])
    data = Data.of(bundle, toy_dataset, subjects=[trained_on], allow_leaky=True)
    assert data.stamps == ("LEAKY",)
    small, _ = compress(bundle, data, [Prune(0.5)], epochs=0)
    assert small.manifest.stamps == ("LEAKY",)


def test_a_bundle_whose_people_were_mixed_has_nobody_left_to_test(toy_bundle, toy_dataset):
    everybody = list(toy_dataset.subjects)
    mixed = changed(toy_bundle("fastgrnn"), train_subjects=everybody, test_subjects=everybody)
    with pytest.raises(LeakageError):
        Data.of(mixed, toy_dataset)


def test_strangers_cannot_be_trained_on(toy_bundle, toy_dataset):
    with pytest.raises(MissingError, match="does not hold the people"):
        Data.of(changed(toy_bundle("fastgrnn"), dataset="another"), toy_dataset)


def test_another_sensor_is_refused(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    contract = replace(bundle.manifest.contract, rate_hz=100.0)
    with pytest.raises(ContractError, match="rate_hz"):
        Data.of(replace(bundle, manifest=replace(bundle.manifest, contract=contract)), toy_dataset)


def test_simulated_people_are_stamped(toy_bundle, tmp_path):
    simulated = Dataset.open(write_toy_dataset(tmp_path / "simulated", simulated=True).path)
    assert Data.of(toy_bundle("fastgrnn"), simulated).stamps == ("SIMULATED",)


def test_a_bundle_without_validation_people_trains_to_its_last_epoch(toy_bundle, toy_dataset):
    bundle = toy_bundle("fastgrnn")
    everybody = ["p0", "p1", "p2", "p3"]
    whole = changed(bundle, train_subjects=everybody, validation_subjects=[])
    data = Data.of(whole, toy_dataset)
    assert data.validation is None
    small, (report,) = compress(whole, data, [Prune(0.5)], epochs=1)
    assert report.after["validation_accuracy"] is None
    assert small.manifest.decision.temperature == bundle.manifest.decision.temperature
