"""The Arduino sketch, compiled for the host against the interfaces of its libraries, and read by the host's adapter."""

import os
import subprocess

import numpy as np
import pytest

from edgehar.sources.ble_devices.arduino import DATA, known, make
from edgehar.sources.ble_devices.base import Advertised, Choice
from tests.cbuild import need
from tests.firmware.core_cases import FIRMWARE

SKETCH = FIRMWARE / "arduino_imu" / "arduino_imu.ino"
FAKE = FIRMWARE / "host_tests" / "fake_arduino"
WARNINGS = ["-std=gnu++14", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
PERIOD_US = round(1e6 / 104)


def built(directory, *defines, compiler="g++"):
    need(compiler, {"g++": "g++", "clang++": "clang"}[compiler])
    program = directory / "sketch"
    command = [compiler, *WARNINGS, *defines, f"-I{FAKE}", "-include", "Arduino.h", "-x", "c++"]
    done = subprocess.run(
        [*command, SKETCH, FAKE / "fake_main.cpp", "-o", program, "-lm"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def run(program, rows, **environment):
    script = "".join(f"{t} " + " ".join(f"{value:.9g}" for value in values) + "\n" for t, values in rows)
    return subprocess.run(
        [program], input=script, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def notified(program, rows):
    lines = [line.split() for line in run(program, rows).stdout.splitlines()]
    return [bytes.fromhex(line[2]) for line in lines if line[0] == "notify" and line[1] == DATA]


def motion(n):
    rng = np.random.default_rng(1)
    return np.concatenate([rng.uniform(-4, 4, (n, 3)), rng.uniform(-2000, 2000, (n, 3))], axis=1)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("defines", [[], ["-DEDGEHAR_SAMPLES=4", "-DEDGEHAR_REV2=1"]], ids=["one", "four"])
def test_what_the_sketch_sends_is_what_it_measured(tmp_path, defines, compiler):
    x = motion(40)
    first_us = 2**32 - 20 * PERIOD_US  # its clock begins anew on the way
    rows = [((first_us + i * PERIOD_US) % 2**32, row) for i, row in enumerate(x)]
    device = make(Choice(rate_hz=104))
    packets = notified(built(tmp_path, *defines, compiler=compiler), rows)
    chunks = [chunk for i, packet in enumerate(packets) for chunk in device.take(DATA, packet, i * 40_000_000)]
    found = np.concatenate([chunk.x for chunk in chunks])
    np.testing.assert_allclose(found[:, :3], x[:, :3], atol=4 / 32768)
    np.testing.assert_allclose(np.rad2deg(found[:, 3:]), x[:, 3:], atol=2000 / 32768)
    times = np.concatenate([chunk.t_dev_ns for chunk in chunks])
    assert np.abs(np.diff(times) - PERIOD_US * 1000).max() < 10_000
    assert device.counts == {"samples": 40}


@pytest.mark.parametrize("defines", [[], ["-DEDGEHAR_SAMPLES=4"]], ids=["one", "four"])
def test_samples_that_were_not_fetched_in_time_are_missing(tmp_path, defines):
    kept = [i for i in range(40) if not 13 <= i < 18]
    rows = [(1000 + i * PERIOD_US, [i / 10, 0, 1, 0, 0, 0]) for i in kept]
    device = make(Choice(rate_hz=104))
    chunks = [c for packet in notified(built(tmp_path, *defines), rows) for c in device.take(DATA, packet, 0)]
    arrived = [round(float(value) * 10) for chunk in chunks for value in chunk.x[:, 0]]
    numbers = [int(number) for chunk in chunks for number in chunk.seq]
    assert numbers == arrived  # every sample has the number of its time
    assert set(range(13, 18)).isdisjoint(numbers)
    assert device.counts["lost_unknown"] == numbers[-1] + 1 - len(numbers)


def test_it_advertises_what_the_adapter_looks_for(tmp_path):
    said = dict(line.split(maxsplit=1) for line in run(built(tmp_path), []).stdout.splitlines())
    assert known(Advertised("AA", said["name"], frozenset({said["service"]})))


def test_values_beyond_the_range_are_held_at_its_end(tmp_path):
    (packet,) = notified(built(tmp_path), [(1, [4.5, -4.5, 0, 2500, -2500, 0])])
    (chunk,) = make(Choice(rate_hz=104)).take(DATA, packet, 0)
    assert chunk.x[0, :2].tolist() == pytest.approx([4, -4], rel=1e-3)
    assert chunk.flags[0] == 4  # CLIPPED


def test_without_a_sensor_it_says_so_for_ever(tmp_path):
    assert run(built(tmp_path), [], FAKE_NO_IMU="1").returncode == 3
