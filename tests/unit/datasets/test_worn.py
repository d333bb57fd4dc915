"""Body-worn units as sensors: whose channels are taken, what they are called, and what cannot be worn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toys import write_toy_dataset
from two_units import write_two_units

from edgehar.contract import sensors_named
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.uniform import UniformStream
from edgehar.datasets.windows import cut
from edgehar.datasets.worn import Worn, parse_sensors
from edgehar.errors import InputError, UsageError
from edgehar.train.bundling import SensorStream

BOTH = {"wrist": "left_arm", "leg": "right_leg"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_two_units(tmp_path_factory.mktemp("two") / "dataset", people=2)


def test_windows_hold_the_sensors_in_the_order_asked_for(dataset: Dataset) -> None:
    stream = UniformStream.of(dataset, sensors={"leg": "right_leg", "wrist": "left_arm"})
    assert stream is not None
    windows = cut(dataset, window=50, hop=25, stream=stream)
    whole = cut(dataset, window=50, hop=25)
    assert windows.channels[:2] == ("leg.acc_x", "leg.acc_y")
    assert windows.channels[6:] == ("wrist.acc_x", "wrist.acc_y", "wrist.acc_z")
    assert windows.units == ("g", "g", "g", "radps", "radps", "radps", "g", "g", "g")
    assert windows.x.tobytes() == np.ascontiguousarray(whole.x[:, :, [6, 7, 8, 9, 10, 11, 3, 4, 5]]).tobytes()
    assert [sensor.channels for sensor in sensors_named(windows.channels)] == [(0, 1, 2, 3, 4, 5), (6, 7, 8)]


def test_a_single_sensor_is_called_as_it_calls_itself(dataset: Dataset) -> None:
    stream = UniformStream.of(dataset, sensors={"wrist": "left_arm"})
    contract = SensorStream.of(dataset, stream).contract
    assert (contract.channels, contract.placement) == (("acc_x", "acc_y", "acc_z"), "wrist")
    several = SensorStream.of(dataset, UniformStream.of(dataset, sensors=BOTH)).contract
    assert several.placement == ""


def test_a_recording_is_seen_as_the_contract_says(dataset: Dataset) -> None:
    worn = Worn.of(dataset, BOTH)
    chunk = dataset.recordings[0].open().read()
    seen = worn.chunk(chunk)
    assert seen.spec.channels == worn.channels
    assert seen.x.tobytes() == np.ascontiguousarray(chunk.x[:, 3:]).tobytes()


def test_units_that_are_not_there_are_named(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no unit 'left_leg'") as caught:
        Worn.of(dataset, {"leg": "left_leg"})
    assert caught.value.hint == "choose from: torso, left_arm, right_leg"
    bare = write_toy_dataset(tmp_path / "bare", people=1)
    with pytest.raises(UsageError, match="has no unit") as caught:
        Worn.of(bare, {"wrist": "acc"})
    assert "none; its channels have no unit before a dot" in caught.value.hint


def test_sensors_are_read_from_the_command_line() -> None:
    assert parse_sensors("") == {}
    assert parse_sensors(" wrist = left_arm ,torso") == {"wrist": "left_arm", "torso": "torso"}
    for wrong in ("wrist=", "=left_arm", "a=x,a=y", "a.b=x", "a=x,"):
        with pytest.raises(UsageError, match="--sensors"):
            parse_sensors(wrong)


@pytest.mark.parametrize("channels", [("acc_x", "leg.acc_x"), ("a.x", "b.x", "a.y")])
def test_channels_of_sensors_stand_side_by_side(channels: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="no sensors are told apart") as caught:
        sensors_named(channels)
    assert "SENSOR.CHANNEL" in caught.value.hint
