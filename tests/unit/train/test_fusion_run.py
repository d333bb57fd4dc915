"""Two units of a dataset become one bundle: trained, judged with and without either sensor, restored and shrunk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from two_units import write_two_units

from edgehar.bundle import Bundle, open_bundle, save_bundle, verify_bundle
from edgehar.compress.data import Data
from edgehar.compress.qat import QAT
from edgehar.compress.quantise import Quantise
from edgehar.compress.steps import Prune, compress
from edgehar.datasets.dataset import Dataset
from edgehar.errors import EdgeHarError, UsageError
from edgehar.evaluate.run import evaluate_bundle
from edgehar.runtimes import make_runtime
from edgehar.train.run import execute, open_run
from edgehar.train.run_config import RunConfig
from edgehar.train.settings import Settings

SETTINGS = Settings({"width": 6, "width2": 6, "dropout": 0.2}).changed(
    ["recipe.epochs=12", "recipe.lr=0.03", "recipe.batch=16", "recipe.ema=0.8", "recipe.magnitudes=true"]
)
SENSORS = {"wrist": "left_arm", "leg": "right_leg"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_two_units(tmp_path_factory.mktemp("two") / "dataset")


def config(dataset: Dataset, **changes: Any) -> RunConfig:
    given = {"sensors": SENSORS, "test_subjects": ("p4", "p5"), "window": 48, "hop": 12, **changes}
    return RunConfig(dataset=str(dataset.path), model="fusion", settings=SETTINGS, **given)


@pytest.fixture(scope="module")
def out(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fusion") / "run"
    execute(open_run(place, config(dataset), resume=False), place)
    return place


@pytest.fixture(scope="module")
def bundle(out: Path) -> Bundle:
    return open_bundle(out / "fusion.edgehar")


def test_each_head_tells_apart_what_its_sensors_can(out: Path) -> None:
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert evaluation["accuracy"]["mean"] > 90
    for sensor in SENSORS:  # one of them hears no difference between still and wave, the other between wave and walk
        assert 50 < evaluation["alone"][sensor]["accuracy"]["mean"] < 85
        assert evaluation["alone"][sensor]["pooled"]["labels"] == ["still", "wave", "walk"]


def test_the_bundle_is_of_two_sensors(out: Path, bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert [sensor.name for sensor in manifest.contract.sensors] == ["wrist", "leg"]
    assert manifest.contract.channels[:4] == ("wrist.acc_x", "wrist.acc_y", "wrist.acc_z", "leg.acc_x")
    # The magnitudes follow behind all channels, and are their sensors' all the same.
    assert manifest.model["sensor"] == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1]
    assert manifest.provenance["sensors"] == "wrist=left_arm,leg=right_leg"
    assert set(bundle.evaluation["alone"]) == {"wrist", "leg"}
    assert verify_bundle(out / "fusion.edgehar")["max_error"] < 1e-4


def test_the_pipeline_that_ships_scores_as_training_said(dataset: Dataset, bundle: Bundle) -> None:
    found = evaluate_bundle(bundle, dataset)
    assert found["accuracy"] == pytest.approx(bundle.evaluation["test"]["accuracy"], abs=0.01)
    assert found["subjects"] == ["p4", "p5"]


@pytest.mark.parametrize(("lost", "left"), [("wrist", "leg"), ("leg", "wrist")])
def test_a_lost_sensor_leaves_the_other_ones_figures(dataset: Dataset, bundle: Bundle, lost: str, left: str) -> None:
    found = evaluate_bundle(bundle, dataset, without=[lost])
    assert found["without"] == [lost]
    assert found["no_data"] == 0
    assert found["accuracy"] == pytest.approx(bundle.evaluation["alone"][left]["accuracy"], abs=0.01)


@pytest.mark.parametrize("without", [["ankle"], ["wrist", "leg"]])
def test_a_bundle_cannot_lose_what_it_has_not(dataset: Dataset, bundle: Bundle, without: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot go without") as caught:
        evaluate_bundle(bundle, dataset, without=without)
    assert "wrist, leg" in caught.value.hint


def test_a_run_resumes_with_its_sensors(dataset: Dataset, out: Path) -> None:
    resumed = open_run(out, None, resume=True)
    assert resumed.to_dict() == config(dataset).to_dict()
    assert list(resumed.sensors.items()) == list(SENSORS.items())  # in this order come the channels


def test_a_model_of_two_sensors_needs_two(dataset: Dataset, tmp_path: Path) -> None:
    alone = open_run(tmp_path / "one", config(dataset, sensors={"wrist": "left_arm"}), resume=False)
    with pytest.raises(EdgeHarError, match="no sensors are told apart by the channels"):
        execute(alone, tmp_path / "one")


@pytest.mark.parametrize("step", [Quantise("int8"), Prune(0.5)], ids=["int8", "pruned"])
def test_compressed_heads_stay_deaf(dataset: Dataset, bundle: Bundle, tmp_path: Path, step: Any) -> None:
    small, _ = compress(bundle, dataset, [step], epochs=1)
    save_bundle(small, tmp_path / "small.edgehar")
    data = Data.of(bundle, dataset)
    x = data.normaliser(data.test.x)[0]
    runtime = make_runtime("numba", small)
    for number in range(2):
        changed = x.copy()
        changed[:, np.array(small.manifest.model["sensor"]) != number] = 3.0
        head = slice(3 * (1 + number), 3 * (2 + number))
        assert runtime.window(x)[head].tobytes() == runtime.window(changed)[head].tobytes()


def test_training_in_view_of_integers_is_refused_by_name(dataset: Dataset, bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="fusion cannot be trained in view of its integers"):
        compress(bundle, dataset, [QAT()], epochs=1)
