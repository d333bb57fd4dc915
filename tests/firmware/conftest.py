"""The core, built once for each target that a test asks for."""

from __future__ import annotations

from functools import cache

import pytest

from tests.firmware.core_cases import build_cases


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    """core(target)(script) -> answers."""
    return cache(lambda target: build_cases(target, tmp_path_factory.mktemp("core")))
