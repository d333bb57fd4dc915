"""`check_meter`: what every meter must do. Call it in the tests of a new one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np

from edgehar.bench.meters.base import Block, Mark, Meter, MeterFacts, Quantity
from edgehar.testing.fault import demand

METHODS = ("facts", "__enter__", "__exit__", "read")


def check_meter(
    make: Callable[[], Meter], *, readings: int = 3, wait: Callable[[float], None] = time.sleep
) -> list[Block]:
    """Open what `make` returns, twice; read it, check every reading; return those of the second time.

    `wait` lets time go by between two readings: tests of a constructed device move its values there. Raises
    ProtocolFaultError at the first broken clause.
    """
    meter = make()
    lacking = [name for name in METHODS if not hasattr(type(meter), name)]
    _demand(not lacking, f"{type(meter).__name__} has all methods, but {', '.join(lacking)}")
    blocks: list[Block] = []
    for _ in range(2):
        with meter as entered:
            _demand(entered is meter, "__enter__ returns the meter itself")
            facts = meter.facts
            _check_facts(facts)
            blocks = _check_trace(meter) if facts.decisions else _check_live(meter, readings, wait)
            for block in blocks:
                _check_block(block, facts)
            _demand(meter.facts == facts, "facts stay what they were while the meter is open")
        meter.__exit__(None, None, None)  # closing twice is harmless
    return blocks


def _check_facts(facts: MeterFacts) -> None:
    _demand(
        bool(facts.name and facts.title and facts.measures and facts.omits), "facts say what is measured and what not"
    )
    _demand(len(facts.rails) > 0 and len(set(facts.rails)) == len(facts.rails), "rails have names of their own")
    _demand(len(facts.summed) > 0 and set(facts.summed) <= set(facts.rails), "summed are some of the rails")
    _demand(isinstance(facts.quantity, Quantity), "values are energies or powers")
    _demand(facts.resolution >= 0 and facts.interval_s >= 0, "resolution and interval are not negative")


def _check_live(meter: Meter, readings: int, wait: Callable[[float], None]) -> list[Block]:
    blocks = [meter.read()]
    for _ in range(readings - 1):
        wait(meter.facts.interval_s)
        blocks.append(meter.read())
    _demand(all(len(block) for block in blocks), "a live meter has a reading at every call")
    ends = [(a.t_ns[-1], b.t_ns[0]) for a, b in itertools.pairwise(blocks)]
    _demand(all(before < after for before, after in ends), "time rises from call to call")
    if meter.facts.quantity is Quantity.ENERGY:
        falls = [np.any(b.values[0] < a.values[-1]) for a, b in itertools.pairwise(blocks)]
        _demand(not any(falls), "energy never falls, a counter's wrap included")
    return blocks


def _check_trace(meter: Meter) -> list[Block]:
    block = meter.read()
    _demand(len(block) > 1 and block.marks is not None, "a trace comes whole at the first call, with marks")
    _demand(len(meter.read()) == 0, "a trace gives nothing after its end")
    return [block]


def _check_block(block: Block, facts: MeterFacts) -> None:
    n = len(block)
    _demand(block.t_ns.dtype == np.int64 and block.t_ns.shape == (n,), "t_ns is int64 [n]")
    _demand(block.values.dtype == np.float64, "values are float64")
    _demand(block.values.shape == (n, len(facts.rails)), "values are [n, rails]")
    _demand(bool(np.isfinite(block.values).all()), "values are numbers")
    _demand(bool((np.diff(block.t_ns) > 0).all()), "time rises within a block")
    _demand(block.lost >= 0, "lost readings are counted")
    if facts.quantity is Quantity.ENERGY:
        _demand(bool((np.diff(block.values, axis=0) >= 0).all()), "energy never falls within a block")
    if block.marks is not None:
        known = {mark.value for mark in Mark}
        _demand(block.marks.shape == (n,) and set(block.marks.tolist()) <= known, "marks [n] are Marks")


def _demand(holds: bool, clause: str) -> None:
    demand(holds, clause, "edgehar/bench/meters/base.py")
