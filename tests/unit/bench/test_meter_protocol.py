"""What every meter shares: addresses, `auto`, and the contract test, which must be able to fail."""

from __future__ import annotations

import contextlib
import doctest
from dataclasses import replace
from typing import Self

import numpy as np
import pytest

from edgehar.bench.meters import AUTO, METERS, Mark, find_meter, open_meter, pi5_pmic
from edgehar.bench.meters import address as addresses
from edgehar.bench.meters.address import MeterAddress, pins_of
from edgehar.bench.meters.base import Block, MeterFacts, Quantity
from edgehar.errors import MissingError, UsageError
from edgehar.testing import ProtocolFaultError, check_meter

FACTS = MeterFacts("m", "a meter", ("a", "b"), ("a",), Quantity.ENERGY, 0.0, 0.0, "all", "nothing else")


class Counting:
    """A meter that keeps its contract, but for what a test replaces."""

    facts = FACTS

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> Block:
        self.count += 1
        return Block(np.array([self.count]), np.array([[float(self.count), 1.0]]))


def test_a_meter_that_keeps_the_contract_passes() -> None:
    blocks = check_meter(Counting, readings=4)
    assert [block.values[0, 0] for block in blocks] == [5, 6, 7, 8]


def falling(self: Counting) -> Block:
    self.count += 1
    return Block(np.array([self.count]), np.array([[-float(self.count), 1.0]]))


def standing(self: Counting) -> Block:
    return Block(np.array([1]), np.array([[1.0, 1.0]]))


def narrow(self: Counting) -> Block:
    self.count += 1
    return Block(np.array([self.count]), np.array([[1.0]]))


def nothing(self: Counting) -> Block:
    return Block(np.empty(0, np.int64), np.empty((0, 2)))


def unknown(self: Counting) -> Block:
    self.count += 1
    return Block(np.array([self.count]), np.array([[np.nan, 1.0]]))


@pytest.mark.parametrize(
    ("read", "clause"),
    [
        (falling, "energy never falls"),
        (standing, "time rises"),
        (narrow, r"values are \[n, rails\]"),
        (nothing, "a reading at every call"),
        (unknown, "values are numbers"),
    ],
)
def test_a_broken_clause_is_named(read: object, clause: str) -> None:
    broken = type("Broken", (Counting,), {"read": read})
    with pytest.raises(ProtocolFaultError, match=clause):
        check_meter(broken)


@pytest.mark.parametrize(
    ("wrong", "clause"),
    [
        ({"rails": ("a", "a")}, "names of their own"),
        ({"summed": ("c",)}, "some of the rails"),
        ({"omits": ""}, "what is measured and what not"),
        ({"interval_s": -1.0}, "not negative"),
        ({"decisions": 10.0}, "comes whole"),
    ],
)
def test_facts_are_checked(wrong: dict, clause: str) -> None:
    broken = type("Broken", (Counting,), {"facts": replace(FACTS, **wrong)})
    with pytest.raises(ProtocolFaultError, match=clause):
        check_meter(broken)


def test_addresses_come_apart() -> None:
    assert doctest.testmod(addresses).failed == 0
    assert doctest.testmod(pi5_pmic).failed == 0
    address = MeterAddress.parse("ina2xx:/a%3Fb?rails=hwmon1,hwmon2&pins=2")
    assert (address.name, address.locator, address.words("rails")) == ("ina2xx", "/a?b", ("hwmon1", "hwmon2"))
    assert pins_of(address) == 2
    assert MeterAddress.parse("rapl").locator == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":x", "no name"),
        ("csv:a?decisions", "'decisions' is not"),
        ("csv:a?decisions=1&decisions=2", "'decisions' is given twice"),
        ("csv:a?decisions=many", "decisions='many' is not a number from 1"),
        ("csv:a?decisions=0", "decisions='0'"),
        ("csv:a?decisions=1&voltage_v=-3", "voltage_v='-3' is not a number from 0"),
        ("csv:a?decisions=1&volt=3", "unknown key 'volt'"),
        ("rapl:?x=1", "unknown key 'x'"),
        ("ppk2:/dev/ttyACM0?voltage_mv=9000", "from 800 to 5000"),
        ("ppk2:/dev/ttyACM0?voltage_mv=3000&mode=sink", "mode 'sink'"),
        ("wattmeter", "no meter is called 'wattmeter'"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_meter(text)


def test_every_meter_is_registered_with_what_it_needs() -> None:
    for name in METERS:
        with contextlib.suppress(MissingError), open_meter(name) as meter:  # this machine may have one
            assert meter.facts.name == name


def test_without_a_meter_all_that_were_looked_for_are_named(tmp_path: object) -> None:
    nowhere = tuple(f"{name}:{tmp_path}/none" for name in ("jetson", "pi5", "ina2xx", "rapl"))
    with pytest.raises(MissingError) as caught:
        find_meter((*nowhere, "ppk2", "csv"))
    assert caught.value.exit_code == 3
    for name in METERS:
        assert f"  {name}: " in str(caught.value)
    assert str(caught.value).count("needs") == len(METERS)
    assert AUTO not in METERS


def test_marks_have_the_numbers_that_pins_can_show() -> None:
    assert [Mark(i).name for i in range(4)] == ["IDLE", "DECISIONS", "DSP", "ACQUISITION"]
