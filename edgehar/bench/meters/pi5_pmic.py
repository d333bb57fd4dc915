"""`pi5[:PROGRAM]`: the power management chip of a Raspberry Pi 5, by `vcgencmd pmic_read_adc`.

It prints one line a channel, ` VDD_CORE_A current(7)=0.75012000A` and ` VDD_CORE_V volt(15)=0.89745940V`; the numbers
in brackets are ADC channels and do not pair, names do. Inputs (EXT5V) have a voltage but no current.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from edgehar.bench.meters.address import MeterAddress
from edgehar.bench.meters.base import Block, MeterFacts, Quantity, one_reading
from edgehar.errors import InputError, MissingError, Reason

PROGRAM = "vcgencmd"
LINE = re.compile(r"\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=(-?\d+(?:\.\d+)?)[AV]\s*")
TIMEOUT_S = 5.0


def from_address(address: MeterAddress) -> Pi5PmicMeter:
    """`pi5[:PROGRAM]`."""
    address.only()
    return Pi5PmicMeter(address.locator or PROGRAM)


class Pi5PmicMeter:
    """Power of every rail that has both a current and a voltage."""

    def __init__(self, program: str = PROGRAM, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._program = program
        self._now_ns = now_ns
        self._rails: tuple[str, ...] = ()

    @property
    def facts(self) -> MeterFacts:
        return MeterFacts(
            name="pi5",
            title="power management chip of the Raspberry Pi 5",
            rails=self._rails,
            summed=self._rails,
            quantity=Quantity.POWER,
            resolution=0.0,  # not published
            # Every reading starts a program: more often, and the meter measures itself.
            interval_s=0.25,
            measures="the rails that the chip regulates: core, memory, I/O, Wi-Fi",
            omits="what comes straight from the 5 V input (USB devices, HATs, fan) and the converters' losses",
        )

    def __enter__(self) -> Self:
        self._rails = tuple(self._powers_mw())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing stays open."""

    def read(self) -> Block:
        """Power of every rail, one run of the program; the channels are read one after the other."""
        powers = self._powers_mw()
        lacking = [rail for rail in self._rails if rail not in powers]
        if lacking:
            raise InputError(
                f"pi5: {self._program} no longer tells {', '.join(lacking)}",
                reason=Reason.TRUNCATED,
                hint="run it by hand: vcgencmd pmic_read_adc",
            )
        return one_reading(self._now_ns(), [powers[rail] for rail in self._rails])

    def _powers_mw(self) -> dict[str, float]:
        return parse_pmic(self._run())

    def _run(self) -> str:
        try:
            done = subprocess.run(
                [self._program, "pmic_read_adc"], capture_output=True, text=True, check=True, timeout=TIMEOUT_S
            )
        except FileNotFoundError:
            raise MissingError(
                f"pi5: there is no {self._program}",
                reason=Reason.NOT_INSTALLED,
                hint="needs a Raspberry Pi 5 with Raspberry Pi OS: sudo apt install raspi-utils",
            ) from None
        except (OSError, subprocess.SubprocessError) as error:
            raise MissingError(
                f"pi5: {self._program} pmic_read_adc failed: {error}",
                reason=Reason.PERMISSION,
                hint="needs a Raspberry Pi 5 and a user of the group video: sudo usermod -aG video $USER",
            ) from None
        return done.stdout


def parse_pmic(text: str) -> dict[str, float]:
    r"""Rail -> mW for the rails with both a current and a voltage, in the program's order. Lines of others pass.

    Raises InputError where no rail has both, as on boards before the Pi 5.

    >>> parse_pmic(" VDD_CORE_A current(7)=0.50000000A\n VDD_CORE_V volt(15)=0.80000000V\n EXT5V_V volt(24)=5.1V")
    {'VDD_CORE': 400.0}
    """
    amperes: dict[str, float] = {}
    volts: dict[str, float] = {}
    for line in text.splitlines():
        matched = LINE.fullmatch(line)
        if matched:
            (amperes if matched[2] == "A" else volts)[matched[1]] = float(matched[3])
    powers = {rail: ampere * volts[rail] * 1e3 for rail, ampere in amperes.items() if rail in volts}
    if not powers:
        shown = text.strip().splitlines()[:1]
        raise InputError(
            f"pi5: no rail with current and voltage in the output of pmic_read_adc, which begins {shown}",
            reason=Reason.FORMAT,
            hint="only a Raspberry Pi 5 has this chip; use another meter",
        )
    return powers
