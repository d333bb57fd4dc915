"""A contract of several sensors: which channels are whose, and how many logits follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import random_bundle

from edgehar.bundle import Contract, Sensor, open_bundle, save_bundle, verify_bundle
from edgehar.contract import contract_to_json
from edgehar.errors import InputError, Reason
from edgehar.manifest import manifest_from_json, manifest_to_json


def document(**changes: Any) -> dict[str, Any]:
    """A fusion bundle's manifest as JSON has it, with other entries in its contract."""
    manifest = manifest_to_json(random_bundle("fusion").manifest)
    manifest["contract"] |= {"channels": list(manifest["contract"]["channels"]), **changes}
    manifest["contract"]["units"] = ["g"] * len(manifest["contract"]["channels"])
    manifest["contract"]["sensors"] = [dict(sensor) for sensor in manifest["contract"]["sensors"]]
    for sensor in manifest["contract"]["sensors"]:
        sensor["channels"] = list(sensor["channels"])
    return manifest


def test_a_bundle_keeps_its_sensors(tmp_path: Path) -> None:
    saved = random_bundle("fusion", classes=4)
    save_bundle(saved, tmp_path / "two.edgehar")
    manifest = open_bundle(tmp_path / "two.edgehar").manifest
    assert manifest.contract.sensors == (Sensor("wrist", (0, 1, 2)), Sensor("leg", (3, 4, 5)))
    assert manifest.contract.heads == ((0, 1), (0,), (1,))
    assert manifest.outputs == 12
    assert verify_bundle(tmp_path / "two.edgehar")["max_error"] == 0.0


def test_a_contract_of_one_sensor_is_written_as_it_always_was() -> None:
    contract = Contract("imu", ("acc_x",), ("g",), 50.0)
    assert "sensors" not in contract_to_json(contract)
    assert contract.heads == ((),)
    assert random_bundle("cnn", classes=5).manifest.outputs == 5


LEG = {"name": "leg", "channels": [3, 4, 5]}
WRIST = {"name": "wrist", "channels": [0, 1, 2]}


@pytest.mark.parametrize(
    ("sensors", "field", "allowed"),
    [
        ([], "contract.sensors", "present for the family fusion"),
        ([{"name": "wrist", "channels": [0, 1, 2, 3, 4, 5]}], "contract.sensors", "two or more"),
        ([WRIST, {**LEG, "name": "wrist"}], "contract.sensors", "names that differ"),
        ([WRIST, {**LEG, "name": "l.eg"}], "contract.sensors", "hold no dot"),
        ([WRIST, {**LEG, "channels": [3, 4]}], "contract.sensors", "the columns 0 to 5 in this order"),
        ([WRIST, {**LEG, "channels": [2, 3, 4, 5]}], "contract.sensors", "the columns 0 to 5 in this order"),
        ([LEG, WRIST], "contract.sensors", "the columns 0 to 5 in this order"),
        ([WRIST, {**LEG, "channels": []}], r"contract.sensors\[1\].channels", "at least one"),
        ([WRIST, {**LEG, "channels": [True]}], r"contract.sensors\[1\].channels", "whole number"),
        ([WRIST, {**LEG, "place": "left"}], r"contract.sensors\[1\].place", "absent"),
        ([WRIST, {**LEG, "name": "ankle"}], "contract.channels", "ankle.CHANNEL"),
        ("wrist", "contract.sensors", "a list"),
    ],
)
def test_sensors_that_do_not_fit_the_channels_are_refused(sensors: Any, field: str, allowed: str) -> None:
    with pytest.raises(InputError, match=f"manifest.json: {field} is .* must be .*{allowed}") as caught:
        manifest_from_json(document(sensors=sensors) if isinstance(sensors, list) else _plain(sensors))
    assert caught.value.reason is Reason.VALUE


def _plain(sensors: Any) -> dict[str, Any]:
    manifest = document()
    manifest["contract"]["sensors"] = sensors
    return manifest


def _one_logit_for_each_label(manifest: dict[str, Any]) -> None:
    manifest["model"] = {**manifest["model"], "classes": 4}


def _another_family(manifest: dict[str, Any]) -> None:
    manifest["model"] = {**manifest["model"], "family": "cnn"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_one_logit_for_each_label, "model.classes is 4, must be 12, the number of labels for each of 3 heads"),
        (_another_family, "contract.sensors is .* must be absent for the family cnn"),
    ],
)
def test_the_model_has_a_head_for_every_sensor(change: Callable[[dict[str, Any]], None], message: str) -> None:
    manifest = document()
    manifest_from_json(manifest)
    change(manifest)
    with pytest.raises(InputError, match=message):
        manifest_from_json(manifest)


@pytest.mark.parametrize("of", [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 2], None, [0, 0, 0, 1, 1, True]])
def test_every_input_of_the_network_is_a_sensors(tmp_path: Path, of: Any) -> None:
    bundle = random_bundle("fusion")
    changed = replace(bundle, manifest=replace(bundle.manifest, model={**bundle.manifest.model, "sensor": of}))
    with pytest.raises(InputError, match=r"model\.sensor is .*for each of 6 inputs one of 2 sensors"):
        save_bundle(changed, tmp_path / "two.edgehar")
