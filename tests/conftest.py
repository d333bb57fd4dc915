"""Fixtures that every test tier shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of the real recordings, which are not part of the repository; skips where they are absent."""
    named = os.environ.get("EDGEHAR_SHARED_DATA")
    path = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"real recordings not found at {path}; set EDGEHAR_SHARED_DATA to their directory")
    return path
