"""The drivers of inertial sensors, against chips written from their data sheets."""

import random
import shutil
import subprocess

import numpy as np
import pytest

from edgehar.boards.targets import LANGUAGE
from tests.firmware.sensor_bus import CONFIG_BYTES, DRIVERS, bench

OK, NO_ANSWER, OTHER_CHIP, NOT_READY, NO_CONFIG, WORN = map(str, range(6))
ADDRESSES = {"lsm6dso": "6a", "mpu6050": "68", "icm20948": "69", "bmi270": "68"}
CHIPS = sorted(ADDRESSES)
RATES = {
    "lsm6dso": {1: 1e9 * 512 / 6667, 20: 1e9 * 256 / 6667, 100: 1e9 * 64 / 6667, 105: 1e9 * 32 / 6667},
    "mpu6050": {1: 250e6, 100: 10e6, 300: 3e6, 2000: 1e6},
    "icm20948": {1: 1e9 * 256 / 1125, 100: 1e9 * 11 / 1125, 562: 1e9 * 2 / 1125, 2000: 1e9 / 1125},
    "bmi270": {1: 40e6, 100: 10e6, 101: 5e6, 2000: 625e3},
}
"""Per chip: the period in ns that a wanted rate in Hz gives, the slowest that is not slower."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """built(compiler) -> Bench."""
    directory = tmp_path_factory.mktemp("sensors")
    return lambda compiler: bench(compiler, directory)


@pytest.fixture(scope="module", params=["gcc", "clang"])
def bus(request, built):
    return built(request.param)


@pytest.fixture(scope="module")
def one_bus(built):
    return built("gcc")


def begun(chip, rate=100, accel=8, gyro=1000, *first):
    """A chip that was found and set going; `first` is done to it before."""
    plugged = (f"config {CONFIG_BYTES}", f"plug {chip} {ADDRESSES[chip]}")
    return (*plugged, *first, "find", f"set {rate} {accel} {gyro}")


def whole(n, room=64):
    """n looks, 50 ms apart."""
    return [step for _ in range(n) for step in ("run 50000", f"drain {room}")]


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("other", [False, True])
def test_a_chip_is_found_at_either_of_its_addresses(chip, other, bus):
    address = f"{int(ADDRESSES[chip], 16) ^ other:02x}"
    assert bus.said(f"plug {chip} {address}", "find")[0][:4] == ["find", OK, chip, address]


@pytest.mark.parametrize("chip", CHIPS)
def test_another_chip_is_named_by_what_it_says_it_is(chip, one_bus):
    address = ADDRESSES[chip]
    register = {"lsm6dso": "0f", "mpu6050": "75"}.get(chip, "00")
    said = one_bus.said(f"plug {chip} {address}", "id 70", "find")
    assert said == [["find", OTHER_CHIP, "-", address, register, "70"]]


def test_an_empty_bus_is_no_answer(one_bus):
    assert one_bus.said("plug lsm6dso 6a", "silent", "find")[0][1] == NO_ANSWER
    assert one_bus.said("plug lsm6dso 42", "find")[0][1] == NO_ANSWER


@pytest.mark.parametrize("chip", CHIPS)
def test_every_rate_is_the_slowest_that_is_not_slower(chip, one_bus):
    for wanted, period_ns in RATES[chip].items():
        *_, said = one_bus.said(*begun(chip, wanted))
        assert said[1] == OK
        assert int(said[2]) == pytest.approx(period_ns, rel=1e-6), wanted


@pytest.mark.parametrize("chip", CHIPS)
def test_samples_have_their_range_as_the_value_32768(chip, bus):
    for accel, gyro in [(2, 250), (4, 500), (8, 1000), (16, 2000), (3, 125), (16, 125)]:
        script = (*begun(chip, 100, accel, gyro), "run 100000", "drain 64")
        said = next(words for words in bus.said(*script) if words[0] == "set")
        full_g, full_dps = int(said[3]), int(said[4])
        assert full_g == (4 if accel == 3 else accel)
        assert full_dps == (gyro if gyro != 125 or chip in ("lsm6dso", "bmi270") else 250)
        (batch,) = bus.drained(*script)
        assert batch.n >= 9
        held = np.clip(np.array([-0.5 / full_g, 1 / full_g, 90 / full_dps, 0, -45 / full_dps]) * 32768, -32768, 32767)
        assert np.abs(batch.x[:, 1:] - held).max() <= 1.01


@pytest.mark.parametrize("chip", CHIPS)
def test_without_a_gyroscope_samples_have_zeros_in_its_place(chip, one_bus):
    first, second = one_bus.drained(*begun(chip, 100, 8, 0), *whole(2))
    assert first.n + second.n >= 9
    assert not first.x[:, 3:].any()
    assert (np.diff(np.concatenate([first.x, second.x])[:, 0]) == 1).all()


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("gyro", [1000, 0])
def test_no_sample_is_lost_or_told_twice_however_it_is_read(chip, gyro, bus):
    draw = random.Random(chip)
    steps = [(f"run {draw.randrange(100, 60_000)}", f"drain {draw.randrange(0, 12)}") for _ in range(200)]
    script = [step for pair in steps for step in pair] + ["drain 600"]
    batches = bus.drained(*begun(chip, 100, 8, gyro), *script)
    numbers = np.concatenate([batch.x[:, 0] for batch in batches])
    assert len(numbers) > 400
    assert (np.diff(numbers) == 1).all()
    assert not any(batch.overran or batch.missing or batch.fault for batch in batches)
    assert batches[-1].left == 0


@pytest.mark.parametrize(("chip", "held"), [("lsm6dso", 256), ("mpu6050", 0), ("icm20948", 0), ("bmi270", 157)])
def test_an_overrun_is_seen_and_its_samples_are_counted(chip, held, bus):
    before, after = [*whole(40)], [*whole(3, 600)]
    script = (*begun(chip, 200), *before, "run 3000000", "drain 600", *after)
    batches = bus.drained(*script)
    broken = next(i for i, batch in enumerate(batches) if batch.overran)
    assert broken == 40
    assert [batch.overran for batch in batches[41:]] == [False] * 3
    assert batches[40].n == pytest.approx(held, abs=1)
    numbers = np.concatenate([batch.x[:, 0] for batch in batches])
    holes = np.diff(numbers)[np.diff(numbers) != 1]
    assert len(holes) == 1
    # The clock knows where between two samples it stands, not better than a part of their distance.
    assert batches[40].missing == pytest.approx(holes[0] - 1, abs=1)


def test_the_bmi270s_own_count_of_lost_samples_is_taken(one_bus):
    script = (*begun("bmi270", 200), *whole(4), "run 1500000", "drain 600", *whole(1))
    batches = one_bus.drained(*script)
    numbers = np.concatenate([batch.x[:, 0] for batch in batches])
    assert batches[4].lost == batches[4].missing == np.diff(numbers).max() - 1
    assert batches[4].lost > 100


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("off", [-0.03, 0.0, 0.03])
def test_times_follow_the_chips_own_clock(chip, off, one_bus):
    draw = random.Random(off)
    steps = [(f"run {draw.choice([7_000, 11_000, 12_345, 40_000])}", "drain 64") for _ in range(900)]
    batches = one_bus.drained(*begun(chip, 100, 8, 1000, f"off {off}"), *(step for pair in steps for step in pair))
    batches = [batch for batch in batches if batch.n]
    for batch in batches:  # no sample is from the future
        newest_us = batch.t_us + (batch.n - 1) * batch.period_ns / 1000
        assert newest_us <= batch.now_us + 0.3 * batch.period_ns / 1000 + 500
    times = np.concatenate([batch.t_us + np.arange(batch.n) * batch.period_ns / 1000 for batch in batches])
    numbers = np.concatenate([batch.x[:, 0] for batch in batches])
    assert (np.diff(times) > 0).all()
    late = slice(len(times) // 2, None)
    slope, start = np.polyfit(numbers[late], times[late], 1)
    nominal_us = RATES[chip][100] / 1000
    assert slope == pytest.approx(nominal_us / (1 + off), rel=1e-3)
    assert np.abs(times[late] - slope * numbers[late] - start).max() < 0.25 * nominal_us
    assert batches[-1].period_ns == pytest.approx(RATES[chip][100] / (1 + off), rel=2e-3)


def test_the_lsm6dso_tells_its_own_trim(one_bus):
    *_, said = one_bus.said(*begun("lsm6dso", 100, 8, 1000, "trim -10"))
    assert int(said[2]) == pytest.approx(1e9 * 64 / (6667 * (1 - 0.015)), rel=1e-5)


def test_halves_of_overwritten_samples_of_the_lsm6dso_are_thrown_away(one_bus):
    """Accelerometer and gyroscope words are overwritten one by one, so that the oldest sample may lack its half."""
    script = (*begun("lsm6dso", 400), "run 1000000", "drain 3", "run 3000", "drain 600")
    first, second = one_bus.drained(*script)
    assert first.overran
    assert (np.diff(np.concatenate([first.x, second.x])[:, 0]) == 1).all()
    assert (second.x[:, 3] == second.x[0, 3]).all()


@pytest.mark.parametrize("value", [0, 5, 63, 64, 127])
def test_the_bmi270s_x_axis_loses_what_it_feels_of_z(value, one_bus):
    (batch,) = one_bus.drained(*begun("bmi270", 100, 8, 1000, f"cross {value}"), "run 50000", "drain 64")
    assert (batch.x[:, 3] == round(90 / 1000 * 32768)).all()


def test_a_bmi270_without_its_configuration_file_says_so(one_bus):
    assert one_bus.said("plug bmi270 68", "find", "set 100 8 1000")[-1][1] == NO_CONFIG
    assert one_bus.said("config 8000", "plug bmi270 68", "find", "set 100 8 1000")[-1][1] == NOT_READY


@pytest.mark.parametrize("chip", CHIPS)
def test_a_reset_that_never_ends_is_not_waited_for_for_ever(chip, one_bus):
    assert one_bus.said(*begun(chip, 100, 8, 1000, "stuck"))[-1][1] == NOT_READY


@pytest.mark.parametrize("chip", CHIPS)
def test_a_bus_that_fails_is_noticed_wherever_it_does(chip, one_bus):
    transfers = sum(line[0] in "rw" for line in one_bus.answers("trace", *begun(chip))) + 3
    seen = set()
    for n in [*range(40), *range(40, transfers, 23)]:
        said = one_bus.said(*begun(chip, 100, 8, 1000), f"fails {n}", "set 100 8 1000", "run 50000", "drain 64")
        faults = (said[-2][1], said[-1][1])
        assert faults[0] in (OK, NO_ANSWER, NOT_READY)
        assert faults != (OK, OK) or n >= 9
        seen.add(faults[0])
    assert NO_ANSWER in seen


def test_the_self_test_wants_the_masses_to_move(bus):
    assert bus.said(*begun("lsm6dso"), "test")[-1] == ["test", OK]
    assert bus.said(*begun("lsm6dso"), "worn", "test")[-1] == ["test", WORN]
    assert bus.said(*begun("mpu6050"), "worn", "test")[-1] == ["test", OK]  # it has none


def test_on_spi_only_chips_that_have_it_are_asked(one_bus):
    assert one_bus.said("plug mpu6050 68", "spi", "find")[0][1] == OTHER_CHIP
    for chip in ("lsm6dso", "icm20948", "bmi270"):
        assert one_bus.said(f"plug {chip} 00", "spi", "find")[0][1:3] == [OK, chip]


# Writes in their order, register and bytes, as the data sheets give bits: 100 Hz, 8 g, 1000 dps.
WRITES = {
    "lsm6dso": "12:01 18:e2 12:44 0a:00 09:44 10:4c 11:48 0a:06",
    "mpu6050": "6b:80 6b:01 6c:00 19:09 1a:03 1b:10 1c:10 23:78 38:10 6a:04 6a:40",
    "icm20948": "7f:00 06:80 06:01 07:00 05:00 7f:20 09:01 00:0a 01:1d 10:00 11:0a 14:1d 7f:00 12:1f "
    "69:00 67:1e 03:40 68:1f 68:00",
    "bmi270": "2f:00 40:a8 41:02 42:e8 43:01 7d:06 48:00 49:d0 7e:b0",
}


@pytest.mark.parametrize("chip", CHIPS)
def test_the_bus_carries_the_bytes_that_the_data_sheet_asks_for(chip, one_bus):
    lines = [line.split() for line in one_bus.answers(*begun(chip)[:-1], "trace", begun(chip)[-1])]
    writes = [f"{line[2]}:{line[3]}" for line in lines if line[0] == "w"]
    wanted = WRITES[chip].split()
    assert writes[-len(wanted) :] == wanted
    if chip == "bmi270":
        upload = writes[: -len(wanted)]
        assert upload[:3] == ["7e:b6", "7c:00", "59:00"]
        assert upload[-1] == "59:01"
        # INIT_ADDR_0 has the low four bits of the word's number, INIT_ADDR_1 the rest.
        assert [piece for piece in upload if piece.startswith("5b:")][:3] == ["5b:0000", "5b:0001", "5b:0002"]
        assert len("".join(piece[3:] for piece in upload if piece.startswith("5e:"))) == 2 * CONFIG_BYTES
    else:
        assert len(writes) == len(wanted)


@pytest.mark.parametrize(
    "compiler", ["gcc", "clang", "arm-none-eabi-gcc", "riscv64-unknown-elf-gcc", "xtensa-lx106-elf-gcc"]
)
def test_the_drivers_need_no_library(compiler):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    sources = map(str, sorted(DRIVERS.glob("*.c")))
    done = subprocess.run(
        [compiler, *LANGUAGE, "-ffreestanding", "-fsyntax-only", *sources], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
