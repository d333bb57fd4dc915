"""The GATT profile: what it promises of UUIDs, properties and room, and the rotations that a tag applies."""

import itertools
import uuid

import numpy as np
import pytest

from edgehar.wire.axes import matching_row, rotate, rotation
from edgehar.wire.encode import encode_imu
from edgehar.wire.gatt import (
    BATTERY_LEVEL_UUID,
    CONFIG_UUID,
    CONTROL_UUID,
    DATA_UUID,
    SERVICE_UUID,
    STATUS_UUID,
    gatt,
    samples_per_notification,
)
from edgehar.wire.imu_encode import imu_payload
from edgehar.wire.packet import wrap_packet
from edgehar.wire.schema import schema
from tests.wire_imu import imu_messages, imu_samples


def test_uuids_are_distinct_written_out_and_of_one_family():
    own = [SERVICE_UUID, DATA_UUID, CONFIG_UUID, STATUS_UUID, CONTROL_UUID]
    assert [str(uuid.UUID(text)) for text in own] == own
    assert len({text[:4] + text[8:] for text in own}) == 1
    assert [int(text[4:8]) for text in own] == [1, 2, 3, 4, 5]
    assert BATTERY_LEVEL_UUID.startswith("00002a19-")


def test_every_kind_of_a_tag_has_one_characteristic():
    by_kind = {imu_payload(message)[0]: gatt().carrier(imu_payload(message)[0]).name for message in imu_messages()}
    assert by_kind == {8: "config", 9: "status", 4: "data", 7: "control", 5: "control"}
    with pytest.raises(KeyError):
        gatt().carrier(schema().kinds["csi"].id)


@pytest.mark.parametrize("mtu", [23, 35, 36, 100, 185, 247, 517])
@pytest.mark.parametrize("channels", [3, 6])
def test_a_notification_takes_as_many_samples_as_are_said_and_not_one_more(mtu, channels):
    n = samples_per_notification(mtu, channels)
    room = mtu - 3
    if n:
        assert len(wrap_packet(*imu_payload(imu_samples(n, channels)))) <= room
    assert len(wrap_packet(*imu_payload(imu_samples(n + 1, channels)))) > min(room, 512)


def test_the_least_mtu_that_carries_anything():
    assert samples_per_notification(35, 6) == 0
    assert samples_per_notification(36, 6) == 1


def test_a_packet_spares_what_the_link_already_does():
    samples = imu_samples(18)
    assert len(wrap_packet(*imu_payload(samples))) <= len(encode_imu(samples)) - 9


def matrix(row):
    axis, sign = rotation(row)
    turned = np.zeros((3, 3))
    turned[range(3), axis] = sign
    return turned


def test_the_rotations_are_the_24_proper_ones_and_none_twice():
    every = [matrix(row) for row in range(len(schema().axes))]
    assert np.array_equal(every[0], np.eye(3))
    assert len({m.tobytes() for m in every}) == len(every) == 24
    assert all(np.linalg.det(m) == pytest.approx(1) for m in every)


@pytest.mark.parametrize("row", range(24))
def test_samples_are_turned_as_the_matrix_says(row):
    x = imu_samples(50).x
    x = np.maximum(x, -32767)
    groups = [x[:, 3 * i : 3 * i + 3] @ matrix(row).T for i in range(2)]
    assert np.array_equal(rotate(x, row), np.hstack(groups))
    assert np.array_equal(rotate(x[:, :3], row), groups[0])
    assert matching_row(*rotation(row)) == row


def test_the_most_negative_value_does_not_wrap_round():
    x = np.full((1, 6), -32768, np.int16)
    assert rotate(x, 1).tolist() == [[-32768, 32767, 32767] * 2]


def test_a_mirror_is_no_rotation():
    mirrors = [
        (axis, sign)
        for axis in itertools.permutations(range(3))
        for sign in itertools.product((1, -1), repeat=3)
        if matching_row(axis, sign) is None
    ]
    assert len(mirrors) == 24
    assert ((0, 1, 2), (1, 1, -1)) in mirrors
