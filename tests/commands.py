"""Runs the `edgehar` command as a user would: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 120  # never a pass criterion: only so that a hang ends


def edgehar(*arguments: object, given: bytes = b"", python: Sequence[str] = ("-m", "edgehar"), cwd: Path | None = None):
    """The finished process, its output as text."""
    done = subprocess.run(
        [sys.executable, *python, *map(str, arguments)],
        input=given,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=cwd,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
