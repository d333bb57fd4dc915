"""The firmware on this machine as ESP-IDF 5.0 compiles it: CSI without its frames, USB and I2C by older drivers."""

import numpy as np
import pytest

from edgehar.wire.frames import UNKNOWN_SEQ
from edgehar.wire.imu_codec import ImuHello
from edgehar.wire.messages import Link
from tests.firmware import tag_glue
from tests.firmware.glue import PROVISIONED, SENDER, VALUES, build, csi, live
from tests.firmware.tidy import version_defines
from tests.wire_frames import numbers

OLD = version_defines((5, 0, 5))
RECEIVER = (*PROVISIONED, "usb 1")
NETWORK = (*RECEIVER, "nvs str ssid lab-ap", "nvs str psk correct-horse")
OTHER = "020000000009"
AP = "aabbccddeeff"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """node(*script, chip=) -> Life."""
    directory = tmp_path_factory.mktemp("old")
    return lambda *script, chip="esp32s3": live(build(chip, directory, None, *OLD), *script)


def heard(n, **how):
    """n frames, one each 10 ms, each with values of its own."""
    lines = []
    for i in range(n):
        lines += [csi(1_000_000 + 10_000 * i, seq=i, values=np.roll(VALUES, i), **how), "run 10"]
    return lines


@pytest.mark.parametrize("order", ["first", "last"])
def test_each_report_gets_the_number_of_its_own_frame_whichever_comes_first(order, node):
    life = node(*RECEIVER, "run 100", f"sniff {order}", *heard(12))
    assert numbers(life.runs) == list(range(12))
    rows = np.concatenate([run.meta for run in life.runs])
    assert rows["tx_seq"].tolist() == list(range(12))
    assert np.diff(rows["t_us"].astype(int)).tolist() == [10_000] * 11
    for i, values in enumerate(np.concatenate([run.iq for run in life.runs])):
        assert np.array_equal(values, np.roll(VALUES, i)), i
    assert not life.decoder.losses


@pytest.mark.parametrize(("order", "waiting"), [("first", 4), ("last", 2)])  # of the last four that had to wait
def test_frames_of_others_are_filtered_and_take_no_numbers(order, waiting, node):
    lines = [csi(5_000 * i, seq=None if i % 2 else i, mac=OTHER if i % 2 else SENDER) for i in range(20)]
    life = node(*RECEIVER, "run 100", f"sniff {order}", *lines, "run 1100")
    rows = np.concatenate([run.meta for run in life.runs])
    assert rows["tx_seq"].tolist() == list(range(0, 20, 2))
    assert len(np.unique(rows["mac_hash"])) == 1
    assert life.decoder.heartbeat.counters.filtered == 10 - waiting


def test_two_senders_heard_in_the_same_microsecond_keep_their_numbers(node):
    lines = [csi(7, seq=40, mac=SENDER), "sniff last", csi(7, seq=90, mac=OTHER), csi(7, seq=41, mac=SENDER)]
    life = node(*RECEIVER, "run 100", *lines, "run 10")
    assert np.concatenate([run.meta["tx_seq"] for run in life.runs]).tolist() == [40, 90, 41]


def test_reports_whose_frames_never_come_are_filtered_not_guessed(node):
    life = node(*RECEIVER, "run 100", "sniff never", *heard(10), "run 1000")
    assert life.runs == []
    assert life.decoder.heartbeat.counters.filtered == 10 - 4  # which may still get theirs


def test_a_report_longer_than_any_layout_is_not_kept(node):
    long = csi(0, seq=0, values=np.zeros(700, np.int8))
    life = node(*RECEIVER, "run 100", "sniff last", long, csi(9, seq=1), "run 1100")
    assert numbers(life.runs) == [0]
    assert life.decoder.heartbeat.counters.filtered == 1


def test_in_a_network_and_where_every_sender_counts_nothing_waits_for_a_frame(node):
    life = node(*NETWORK, "run 100", f"join {AP} 9", csi(0, seq=None, mac=AP), csi(0, seq=5, mac=SENDER), "run 1000")
    assert life.runs[0].meta["tx_seq"].tolist() == [UNKNOWN_SEQ]
    assert life.decoder.heartbeat.counters.filtered == 1
    life = node(*RECEIVER, "run 1500", csi(0, seq=3), csi(0, seq=None), "run 10", chip="esp32c3")
    assert life.runs[0].meta["tx_seq"].tolist() == [UNKNOWN_SEQ, UNKNOWN_SEQ]


def test_usb_is_taken_where_a_host_counts_its_milliseconds(node):
    assert node(*RECEIVER, "run 200").decoder.hello.link == Link.USB
    assert node(*PROVISIONED, "run 1500").decoder.hello.link == Link.UART


def test_a_sender_asks_for_a_high_throughput_rate(node):
    script = ("nvs u8 format 1", "nvs u8 role 1", "nvs u8 channel 11", "nvs u16 rate_hz 50", "usb 1", "run 500")
    assert node(*script).said("espnow rate") == ["espnow rate 16"]


def test_a_tag_reads_its_sensor_by_the_older_driver(tmp_path):
    program = tag_glue.build(tuple(f"-D{name}" for name in OLD), tmp_path)
    script = (*tag_glue.PROVISIONED, *tag_glue.WIRED, "run 1000", "connect 247", *tag_glue.HEARD, "run 2000")
    life = tag_glue.live(program, *script)
    assert life.said("i2c ") == ["i2c sda 8 scl 9"]
    assert life.all(ImuHello)[0].sensor == "lsm6dso"
    assert np.array_equal(np.diff(life.numbers()), np.ones(len(life.numbers()) - 1))
    assert len(life.numbers()) > 150
