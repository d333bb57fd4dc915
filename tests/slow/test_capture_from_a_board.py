"""A minute at 1,000 frames a second, and ten kills: what is kept adds up, and files open."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = [pytest.mark.slow, pytest.mark.alone]
pytest.importorskip("pty", reason="pseudo-terminals are not a thing of this system")
pytest.importorskip("serial", reason="pip install 'edgehar[serial]'")


@pytest.fixture(scope="module")
def capture():
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("capture_benchmark", BENCHMARKS / "capture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_frame_of_a_minute_is_kept_or_its_loss_is_placed(capture):
    """A busy machine may let the line run over; then the account says so, to the frame."""
    told = capture.capture_row(60.0).extras
    assert told["simulated"]
    assert told["kept"] == told["frames"]
    assert told["frames"] + told["lost"] == pytest.approx(60_000, abs=1100)  # the first second settles the stream
    placed = sum(n for cause, n in told["counts"].items() if cause in ("lost_link", "lost_ring"))
    assert abs(placed - told["lost"]) <= 1100  # those of the last second wait for a heartbeat that never comes
    assert told["counts"].get("lost_radio", 0) == 0


def test_a_kill_costs_about_a_second_and_the_file_opens(capture):
    row = capture.kill_row(10, seed=1)
    assert row.extras["without_a_sample"] <= 2  # killed before its first second was written
    assert row.value < 2.5  # a second between flushes, and what a busy machine adds to it
