"""Meters of Linux sysfs and of a program, on constructed trees with the kernel's documented names and units."""

from __future__ import annotations

from pathlib import Path

import pytest
from meter_trees import FakeClock, PowercapTree, jetson_chip, write

from edgehar.bench.meters import find_meter, open_meter
from edgehar.bench.meters.ina2xx import Ina2xxMeter
from edgehar.bench.meters.ina3221 import Ina3221Meter
from edgehar.bench.meters.pi5_pmic import Pi5PmicMeter, parse_pmic
from edgehar.bench.meters.rapl import RaplMeter
from edgehar.errors import InputError, MissingError, Reason, UsageError
from edgehar.testing import check_meter

ZONES = {
    "intel-rapl:0": ("package-0", 10.0),
    "intel-rapl:0:0": ("core", 6.0),
    "intel-rapl:0:1": ("dram", 2.0),
    "intel-rapl:1": ("psys", 20.0),
}
# As printed by a Raspberry Pi 5, shortened: channel numbers do not pair, names do.
PMIC = """\
 3V7_WL_SW_A current(0)=0.10000000A
  VDD_CORE_A current(7)=0.75000000A
   3V3_DAC_A current(17)=0.00036630A
 3V7_WL_SW_V volt(8)=3.70000000V
  VDD_CORE_V volt(15)=0.80000000V
     EXT5V_V volt(24)=5.06788000V
      BATT_V volt(25)=3.01110800V
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def rapl(tmp_path: Path, clock: FakeClock, range_uj: int = 262_143_328_850) -> RaplMeter:
    tree = PowercapTree(tmp_path / "powercap", clock, ZONES, range_uj)
    return RaplMeter(tree.root, clock.now_ns)


def test_rapl_keeps_the_contract(tmp_path: Path, clock: FakeClock) -> None:
    meter = rapl(tmp_path, clock)
    blocks = check_meter(lambda: meter, wait=clock.sleep)
    facts = meter.facts
    assert facts.rails == ("package-0", "psys", "package-0/core", "package-0/dram")
    assert facts.summed == ("package-0", "package-0/dram")
    gone = dict(zip(facts.rails, blocks[-1].values[0], strict=True))
    assert gone == pytest.approx({"package-0": 20e3, "package-0/core": 12e3, "package-0/dram": 4e3, "psys": 40e3})


def test_a_counter_that_wraps_goes_on(tmp_path: Path, clock: FakeClock) -> None:
    meter = rapl(tmp_path, clock, range_uj=25_000_000)  # 10 W wrap after 2.5 s
    with meter:
        for _ in range(10):
            clock.sleep(1.0)
            block = meter.read()
    assert block.values[0][meter.facts.rails.index("package-0")] == pytest.approx(100e3)


def test_a_platform_counter_alone_is_the_sum(tmp_path: Path, clock: FakeClock) -> None:
    tree = PowercapTree(tmp_path, clock, {"intel-rapl:0": ("psys", 5.0)}, 1_000_000)
    with RaplMeter(tree.root, clock.now_ns) as meter:
        assert meter.facts.summed == ("psys",)


def test_a_counter_that_may_not_be_read_says_how(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = rapl(tmp_path, clock)
    read = Path.read_text

    def denied(path: Path, *args: object, **kwargs: object) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(MissingError, match=r"may not be read") as caught:
        meter.__enter__()
    assert caught.value.reason is Reason.PERMISSION
    assert caught.value.exit_code == 3
    assert "chmod a+r /sys/class/powercap" in caught.value.hint


def test_a_counter_of_another_format_is_named(tmp_path: Path, clock: FakeClock) -> None:
    meter = rapl(tmp_path, clock)
    write(tmp_path / "powercap" / "intel-rapl:1" / "energy_uj", "1.5 J")
    with pytest.raises(InputError, match=r"intel-rapl:1/energy_uj: '1.5 J' is not a whole number"):
        meter.__enter__()


def test_a_device_that_goes_away_is_an_error_that_says_so(tmp_path: Path, clock: FakeClock) -> None:
    with rapl(tmp_path, clock) as meter:
        (tmp_path / "powercap" / "intel-rapl:0" / "energy_uj").unlink()
        with pytest.raises(MissingError, match="energy_uj is not there"):
            meter.read()


def test_jetson_with_a_rail_of_the_whole_module(tmp_path: Path, clock: FakeClock) -> None:
    write(tmp_path / "hwmon0" / "name", "tmp451")
    chip = jetson_chip(
        tmp_path, 3, {1: ("VDD_IN", 5000, 1200), 2: ("VDD_CPU_GPU_CV", 5000, 400), 3: ("VDD_SOC", 5000, 300)}
    )
    meter = Ina3221Meter(tmp_path, clock.now_ns)
    blocks = check_meter(lambda: meter, wait=clock.sleep)
    assert meter.facts.summed == ("VDD_IN",)
    assert blocks[0].values.tolist() == [[6000.0, 2000.0, 1500.0]]
    write(chip / "curr1_input", 2000)
    with meter:
        assert meter.read().values[0, 0] == 10_000.0


def test_jetson_without_such_a_rail_sums_those_that_are_on(tmp_path: Path, clock: FakeClock) -> None:
    jetson_chip(tmp_path, 1, {1: ("VDD_GPU_SOC", 19_000, 100), 2: ("VDD_CPU_CV", 19_000, 50), 3: ("NC", 0, 0)})
    second = jetson_chip(tmp_path, 10, {1: ("VIN_SYS_5V0", 5000, 800), 2: ("VDDQ_VDD2_1V8AO", 5000, 90)})
    write(second / "in2_enable", 0)
    with Ina3221Meter(tmp_path, clock.now_ns) as meter:
        assert meter.facts.rails == meter.facts.summed == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
        assert meter.read().values.tolist() == [[1900.0, 950.0, 4000.0]]


def test_jetson_without_labels_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "hwmon0" / "name", "ina3221")
    write(tmp_path / "hwmon0" / "in1_input", 5000)
    with pytest.raises(MissingError, match="no ina3221 with a labelled rail"):
        Ina3221Meter(tmp_path).__enter__()


def test_jetson_rail_without_its_current_is_named(tmp_path: Path) -> None:
    chip = jetson_chip(tmp_path, 0, {1: ("VDD_IN", 5000, 1000)})
    (chip / "curr1_input").unlink()
    with Ina3221Meter(tmp_path) as meter, pytest.raises(MissingError, match="curr1_input is not there"):
        meter.read()


def test_ina2xx_power_in_microwatts(tmp_path: Path, clock: FakeClock) -> None:
    write(tmp_path / "hwmon2" / "name", "ina219")
    write(tmp_path / "hwmon2" / "power1_input", 1_230_000)
    meter = Ina2xxMeter(tmp_path, now_ns=clock.now_ns)
    blocks = check_meter(lambda: meter, wait=clock.sleep)
    assert meter.facts.rails == ("hwmon2/ina219",)
    assert blocks[0].values.tolist() == [[1230.0]]


def test_ina2xx_without_power_multiplies(tmp_path: Path) -> None:
    write(tmp_path / "hwmon2" / "name", "ina226")
    write(tmp_path / "hwmon2" / "in1_input", 5010)
    write(tmp_path / "hwmon2" / "curr1_input", 200)
    with Ina2xxMeter(tmp_path) as meter:
        assert meter.read().values.tolist() == [[1002.0]]


def test_several_ina2xx_must_be_chosen(tmp_path: Path) -> None:
    for n in (1, 4):
        write(tmp_path / f"hwmon{n}" / "name", "ina226")
        write(tmp_path / f"hwmon{n}" / "power1_input", n * 1_000_000)
    with pytest.raises(UsageError, match="there are hwmon1/ina226, hwmon4/ina226"):
        Ina2xxMeter(tmp_path).__enter__()
    with pytest.raises(UsageError, match="choose 0"):
        Ina2xxMeter(tmp_path, rails=("hwmon9",)).__enter__()
    with open_meter(f"ina2xx:{tmp_path}?rails=hwmon4,hwmon1/ina226") as meter:
        assert meter.read().values.tolist() == [[1000.0, 4000.0]]


def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "vcgencmd"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_pi5_pairs_rails_by_name(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "out").write_text(PMIC)
    name = program(tmp_path, f'[ "$1" = pmic_read_adc ] && cat {tmp_path}/out')
    meter = Pi5PmicMeter(name, clock.now_ns)
    blocks = check_meter(lambda: meter, wait=clock.sleep)
    assert meter.facts.rails == ("3V7_WL_SW", "VDD_CORE")  # the DAC's line lacks a voltage, the input's a current
    assert blocks[0].values[0] == pytest.approx([370.0, 600.0])
    assert "USB" in meter.facts.omits
    with meter:
        (tmp_path / "out").write_text(PMIC.replace("VDD_CORE_V", "VDD_GONE_V"))
        with pytest.raises(InputError, match="no longer tells VDD_CORE"):
            meter.read()


def test_pi5_of_another_board_or_without_the_program(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no rail with current and voltage.*error=1"):
        parse_pmic('error=1 error_msg="Command not registered"')
    with pytest.raises(MissingError, match="there is no"):
        Pi5PmicMeter(str(tmp_path / "none")).__enter__()
    with pytest.raises(MissingError, match="pmic_read_adc failed") as caught:
        Pi5PmicMeter(program(tmp_path, "exit 255")).__enter__()
    assert "group video" in caught.value.hint


def test_auto_takes_the_first_that_opens(tmp_path: Path) -> None:
    jetson_chip(tmp_path, 0, {1: ("VDD_IN", 5000, 1000)})
    found = find_meter((f"rapl:{tmp_path}", f"jetson:{tmp_path}", "csv"))
    assert isinstance(found, Ina3221Meter)
