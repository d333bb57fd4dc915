"""The bar: for terminals only, drawn when something is reported and not by a thread, gone at the end."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from edgehar.cli import progress as module
from edgehar.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_goes_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with progress("work") as report:
        assert report is None
    assert pipe.getvalue() == ""


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest puts its own stderr in place once fixtures are made."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    return screen


def test_short_work_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with progress("work") as report:
        assert report is not None
        report(1, 2)
        report(2, 2)
    assert "work" not in terminal.getvalue()


def test_long_work_is_drawn_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    before = threading.active_count()
    with progress("work") as report:
        assert report is not None
        report(1, 2)
        assert threading.active_count() == before
        assert "work" in terminal.getvalue()
        assert "50%" in terminal.getvalue()


def test_a_stretch_without_steps_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with progress("work") as report:
        assert report is not None
        report.say("random forest")
        assert "random forest" in terminal.getvalue()
