"""The tag's firmware on this machine, against a fake ESP-IDF: what a host would see of it."""

import numpy as np
import pytest

import edgehar
from edgehar.wire.gatt import gatt
from edgehar.wire.messages import BoardFlag, ImuHeartbeat, ImuHello, ImuSamples, LogLine, Reply, ReplyStatus
from tests.firmware.tag_glue import (
    BATTERY,
    DATA,
    HEARD,
    PROVISIONED,
    READ,
    WIRED,
    build,
    live,
)

TAG = (*WIRED, *PROVISIONED)
SPARSE = ("-DWITHOUT_BMI270", "-DCONFIG_EDGEHAR_BATTERY_GPIO=-1")
LISTENED = (*TAG, "run 1000", "connect 247", *HEARD)


@pytest.fixture(scope="module")
def tag(tmp_path_factory):
    """tag(*script, options=()) -> TagLife; each build is made once."""
    directory = tmp_path_factory.mktemp("tag")

    def run(*script, options=()):
        return live(build(options, directory), *script, cable="-DCONFIG_EDGEHAR_HOST_CABLE=1" in options)

    return run


def test_it_advertises_its_service_and_its_name(tag):
    life = tag(*TAG, "run 1000")
    assert life.said("advertise ") == [f"advertise flags 06 uuid {gatt().service[:8]}"]
    assert life.said("name ") == ["name wrist complete 1"]
    long = "a-tag-with-a-name-of-31-bytes-x"
    life = tag(*WIRED, "nvs u8 format 1", f"nvs str name {long}", "run 1000")
    assert life.said("name ") == [f"name {long[:29]} complete 0"]


def test_without_a_name_it_is_called_after_its_address(tag):
    assert tag(*WIRED, "run 1000").said("name ") == ["name edgehar-335f complete 1"]


def test_its_characteristics_are_those_of_the_profile(tag):
    bits = {"read": 2, "write": 8, "notify": 16}
    wanted = {int(one.uuid[4:8], 16): sum(bits[p] for p in one.properties) for one in gatt().characteristics.values()}
    said = [line.split()[1::2] for line in tag(*TAG, "run 1000").said("characteristic ")]
    found = {int(uuid, 16): int(flags, 16) for uuid, flags in said}
    assert found == wanted | {BATTERY: bits["read"] | bits["notify"]}


def test_config_says_who_it_is(tag):
    life = tag(*TAG, "run 1000", "connect 247", "read config", "read status", "read battery")
    (hello,) = life.all(ImuHello)
    assert (hello.chip, hello.firmware, hello.name) == ("esp32s3", edgehar.__version__, "wrist")
    assert (hello.sensor, hello.rate_hz, hello.accel_range_g, hello.gyro_range_dps) == ("lsm6dso", 104, 8, 1000)
    assert (hello.axes, hello.channels, hello.flags, hello.boot) == (0, 6, BoardFlag.RUNNING, 1)
    assert hello.battery_percent == 77  # 4.0 V between 3.3 and 4.2
    assert life.all(ImuHeartbeat)[0].battery_percent == 77
    assert life.values[-1][0] == BATTERY | READ
    assert life.values[-1][2] == bytes([77])


@pytest.mark.parametrize(
    ("wired", "rate", "scale"),
    [("lsm6dso 6b", 104, 1), ("mpu6050 68", 100, 1), ("icm20948 69", 102, 1), ("bmi270 68", 100, 1)],
)
def test_every_sensor_streams_a_minute_without_a_hole(wired, rate, scale, tag):
    life = tag(f"sensor {wired}", *PROVISIONED, "run 1000", "connect 247", *HEARD, "run 60000")
    assert life.all(ImuHello)[-1].sensor == wired.split()[0]
    numbers = life.numbers()
    assert len(numbers) == pytest.approx(60 * rate, rel=0.05)
    assert (np.diff(numbers) == 1).all()
    x = life.x()
    assert (np.diff(x[:, 0].astype(int)) == scale).all()  # the chip's own count of its samples
    assert (x[:, 2] == 32768 // 8).all()
    last = life.all(ImuHeartbeat)[-1]
    assert (last.dropped_queue, last.dropped_sensor) == (0, 0)
    steps = np.diff(life.times_us())
    assert steps.min() > 0.2e6 / rate
    assert np.median(steps) == pytest.approx(1e6 / rate, rel=0.02)


def test_a_notification_holds_as_many_samples_as_fit_and_waits_no_longer_than_it_may(tag):
    batches = tag(*LISTENED, "host rate 833", "run 3000").all(ImuSamples)
    assert max(len(batch.x) for batch in batches) == (247 - 3 - 2 - 19) // 12
    life = tag(*TAG, "run 1000", "connect 23", *HEARD, "run 1000")
    assert life.all(ImuSamples) == []  # a head of 19 bytes and a sample do not fit 18
    life = tag(*LISTENED, "run 3000")
    for value, at_us, content in life.values:
        if value == DATA:
            oldest_us = int.from_bytes(content[2 + 6 : 2 + 10], "little")
            assert at_us - oldest_us < 90_000 or at_us < 1_100_000


def test_it_asks_for_a_quick_connection_once_samples_are_wanted(tag):
    life = tag(*TAG, "run 1000", "connect 247", "subscribe status 1", "run 100")
    assert life.said("interval") == []
    link = gatt().link
    life = tag(*LISTENED, "run 100")
    least, most = (int(ms / 1.25) for ms in (link.interval_min_ms, link.interval_max_ms))
    assert life.said("interval") == [f"interval {least} {most} latency 0 timeout 400"]
    assert life.said("packets") == ["packets of 251 octets, 2120 us"]


def test_commands_are_obeyed_and_answered(tag):
    commands = ["#1 rate 50", "#2 accel 4", "#3 gyro 250", "#4 axes 5", "#5 identify", "#6 rate 0", "#7 channel 3"]
    life = tag(*LISTENED, "run 200", *(step for command in commands for step in (f"host {command}", "run 500")))
    assert [(reply.id, reply.status) for reply in life.all(Reply)] == [
        *((i, ReplyStatus.DONE) for i in range(1, 6)),
        (6, ReplyStatus.BAD_ARGUMENT),
        (7, ReplyStatus.UNKNOWN_COMMAND),
    ]
    hello = life.all(ImuHello)[-1]
    assert (hello.rate_hz, hello.accel_range_g, hello.gyro_range_dps, hello.axes) == (52, 4, 250, 5)
    assert "nvs u8 axes 5" in life.said("nvs ")
    turned = life.all(ImuSamples)[-1].x[-1]
    assert turned[1] == -(32768 // 4)  # row 5 is +y -z -x: 1 g up the sensor's z
    assert life.said("light")


def test_a_line_that_is_too_long_and_one_too_many_are_refused(tag):
    life = tag(*LISTENED, "run 200", "host " + "x" * 64, "run 100")
    assert life.all(Reply)[0].status == ReplyStatus.TOO_LONG
    life = tag(*LISTENED, "run 200", *(f"host #{i} hello" for i in range(1, 7)), "run 100")
    assert life.said("write ") == ["write 0"] * 4 + ["write 17"] * 2
    assert [reply.id for reply in life.all(Reply)] == [1, 2, 3, 4]


def test_setting_it_otherwise_leaves_no_number_out_that_is_not_counted(tag):
    life = tag(*LISTENED, "run 2000", "host accel 16", "run 2000", "host rate 52", "run 2000")
    numbers = life.numbers()
    missing = int((np.diff(numbers) - 1).sum())
    assert missing > 5
    assert life.all(ImuHeartbeat)[-1].dropped_sensor == missing
    steps = np.diff(life.times_us()) / np.diff(numbers)
    assert steps.min() > 9000  # each number has its place in time
    assert {batch.accel_range_g for batch in life.all(ImuSamples)} == {8, 16}


def test_buffers_that_run_out_cost_nothing_until_the_queue_is_full(tag):
    life = tag(*LISTENED, "run 1000", "air 0", "run 2000", "air 1000", "run 1000")
    assert (np.diff(life.numbers()) == 1).all()
    life = tag(*LISTENED, "run 1000", "air 0", "run 20000", "air 1000", "run 2000")
    lost = int((np.diff(life.numbers()) - 1).sum())
    last = life.all(ImuHeartbeat)[-1]
    assert lost > 500
    assert (last.dropped_queue, last.dropped_sensor) == (lost, 0)
    assert life.returncode == 0


@pytest.mark.parametrize("call", ["mbuf", "ble_gatts_notify_custom"])
def test_a_notification_that_nimble_does_not_take_is_offered_again(call, tag):
    life = tag(*LISTENED, "run 1000", f"fail {call}", "run 1000", "fail -", "run 1000")
    assert (np.diff(life.numbers()) == 1).all()
    assert len(life.numbers()) > 250


def test_a_lost_connection_is_bridged_and_it_advertises_again(tag):
    back = ("disconnect", "run 1500", "connect 247", *HEARD, "run 1000")
    life = tag(*LISTENED, "run 1000", *back)
    assert len(life.said("advertising")) == 2
    assert (np.diff(life.numbers()) == 1).all()
    life = tag(*LISTENED, "run 1000", *(step.replace("1500", "9000") for step in back))
    lost = int((np.diff(life.numbers()) - 1).sum())
    assert life.all(ImuHeartbeat)[-1].dropped_queue == lost > 0


def test_a_sensor_that_falls_silent_is_begun_anew_and_its_samples_are_counted(tag):
    life = tag(*LISTENED, "run 1000", "silent 1", "run 2500", "silent 0", "run 3000")
    told = [line.text for line in life.all(LogLine)]
    assert any("no sensor answers" in text for text in told)
    assert any("well" in text for text in told)
    numbers = life.numbers()
    missing = int((np.diff(numbers) - 1).sum())
    assert missing == pytest.approx(2.5 * 104, abs=130)
    assert life.all(ImuHeartbeat)[-1].dropped_sensor == missing
    steps = np.diff(life.times_us()) / np.diff(numbers)
    assert steps == pytest.approx(1e6 / 104.17, rel=0.3)


def test_a_command_that_the_sensor_does_not_take_is_answered_so(tag):
    life = tag(*LISTENED, "run 500", "silent 1", "host #8 rate 50", "run 500", "silent 0", "run 3000")
    assert [(reply.id, reply.status) for reply in life.all(Reply)] == [(8, ReplyStatus.FAILED)]
    assert life.all(ImuHello)[-1].rate_hz == 104
    assert life.all(ImuSamples)[-1].period_us == pytest.approx(1e6 / 104.17, rel=0.01)


def test_without_a_sensor_it_says_so_and_starts_again_when_one_is_there(tag):
    life = tag(*PROVISIONED, "run 1000", "connect 247", *HEARD, "run 1500")
    assert life.all(ImuHello)[-1].sensor == "none"
    assert any("no sensor answers" in line.text for line in life.all(LogLine))
    life = tag(*PROVISIONED, "run 1000", "sensor bmi270 68", "run 5000")
    assert life.said("restart") == ["restart"]


def test_another_chip_is_named(tag):
    life = tag("sensor mpu6050 68", *PROVISIONED, "run 0", "run 1000", "connect 247", *HEARD, "run 200")
    assert life.all(ImuHello)[-1].sensor == "mpu6050"
    life = tag("sensor lsm6dso 6a", "silent 1", *PROVISIONED, "run 1000", "connect 247", *HEARD, "run 200")
    assert any("check its wires" in line.text for line in life.all(LogLine))


def test_a_bmi270_without_its_file_names_the_next_command(tag):
    life = tag(
        *("sensor bmi270 68", *PROVISIONED, "run 1000", "connect 247", *HEARD, "run 200"),
        options=SPARSE,
    )
    assert any("edgehar firmware build imu_ble --bmi270" in line.text for line in life.all(LogLine))
    assert life.all(ImuSamples) == []


def test_a_self_test_that_fails_is_said_and_hinders_nothing(tag):
    life = tag(*WIRED, "test", *PROVISIONED, "run 1500", "connect 247", *HEARD, "run 1000")
    assert any("self-test is outside its limits" in line.text for line in life.all(LogLine))
    assert len(life.numbers()) > 90


def test_spi_carries_the_same(tag):
    for chip in ("lsm6dso", "bmi270"):
        script = (f"sensor {chip} 00", *PROVISIONED, "run 1000", "connect 247", *HEARD, "run 3000")
        life = tag(*script, options=("-DCONFIG_EDGEHAR_SENSOR_SPI=1",))
        assert life.all(ImuHello)[-1].sensor == chip
        assert (np.diff(life.x()[:, 0].astype(int)) == 1).all()
        assert len(life.numbers()) > 290


CABLE = ("-DCONFIG_EDGEHAR_HOST_CABLE=1",)


def test_over_a_cable_the_same_messages_come_in_frames(tag):
    script = (*TAG, "usb 1", "run 2000", "host #4 rate 208", "run 3000")
    life = tag(*script, options=CABLE)
    assert life.all(ImuHello)[0].name == "wrist"
    assert life.all(ImuHello)[-1].rate_hz == 208
    assert life.all(Reply)[0].id == 4
    assert len(life.all(ImuHeartbeat)) >= 3
    missing = int((np.diff(life.numbers()) - 1).sum())
    assert life.all(ImuHeartbeat)[-1].dropped_sensor == missing
    assert len(life.numbers()) > 700


def test_a_cable_that_nobody_reads_costs_samples_which_are_counted(tag):
    life = tag(*TAG, "usb 1", "run 1000", "reads 0", "run 15000", "reads 1", "run 3000", options=CABLE)
    lost = int((np.diff(life.numbers()) - 1).sum())
    assert life.all(ImuHeartbeat)[-1].dropped_queue == lost > 100


def test_reboot_answers_first_and_the_next_start_has_another_number(tag):
    life = tag(*LISTENED, "run 200", "host #9 reboot", "run 1000")
    assert life.all(Reply)[0].id == 9
    assert life.said("restart") == ["restart"]
    again = tag(*WIRED, *life.said("nvs "), "run 1000", "connect 247", "read config")
    assert again.all(ImuHello)[0].boot == 2


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ([], "not provisioned"),
        (["nvs u8 format 2"], "another version"),
        (["nvs u8 format 1", "nvs u16 rate_hz 0"], "out of range"),
        (["nvs u8 format 1", "nvs u8 axes 24"], "out of range"),
        (["nvs u8 format 1", "fail nvs_flash_init"], "erased"),
        (["fail nvs_open"], "cannot be opened"),
    ],
)
def test_settings_that_cannot_be_are_complained_of_and_the_tag_still_streams(settings, text, tag):
    life = tag(*WIRED, *settings, "run 1000", "connect 247", *HEARD, "run 500")
    assert any(text in line.text for line in life.all(LogLine))
    assert life.all(ImuHello)[-1].rate_hz == 104
    assert len(life.numbers()) > 30


def test_axes_that_cannot_be_kept_are_answered_so(tag):
    life = tag(*LISTENED, "run 100", "fail nvs_set_u8", "host axes 3", "run 100")
    assert life.all(Reply)[0].status == ReplyStatus.FAILED
    assert life.all(ImuHello)[-1].axes == 0


def test_bluetooth_that_does_not_start_ends_in_a_panic(tag):
    assert tag(*TAG, "fail nimble_port_init", "run 1000").returncode != 0


def test_a_battery_that_nobody_measures_has_no_service(tag):
    life = tag(*LISTENED, "run 200", options=SPARSE)
    assert not [line for line in life.said("characteristic ") if line.split()[1] == "19"]
    assert life.all(ImuHello)[-1].battery_percent == 255


def test_a_charge_that_changes_is_told(tag):
    life = tag(*LISTENED, "subscribe battery 1", "run 1000", "battery 1800", "run 11000")
    told = [content[0] for value, _, content in life.values if value == BATTERY]
    assert told[-1] == 33
    assert life.all(ImuHeartbeat)[-1].battery_percent == 33
