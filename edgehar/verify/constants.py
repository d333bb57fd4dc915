"""Constants that an artefact holds against those that the bundle gives: which differ, and where first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 8
"""Named in full; a file that differs everywhere is another model, not a damaged one."""


def constant_faults(found: Mapping[str, NDArray[Any]], expected: Mapping[str, NDArray[Any]], where: str) -> list[str]:
    """One line for each constant that is missing, unknown or different; compared by bits, so that NaN and -0 count."""
    faults = [f"{where} lacks the constant '{name}'" for name in expected if name not in found]
    faults += [f"{where} has the constant '{name}', the bundle has not" for name in found if name not in expected]
    for name in expected:
        if name in found and not _same(found[name], expected[name]):
            faults.append(f"{where}: constant '{name}' {_first_difference(found[name], expected[name])}")
    if len(faults) > MOST:
        return [*faults[:MOST], f"and {len(faults) - MOST} more constants of {where}"]
    return faults


def _same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


def _first_difference(found: NDArray[Any], expected: NDArray[Any]) -> str:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"is {found.dtype} {list(found.shape)}, must be {expected.dtype} {list(expected.shape)}"
    flat_found, flat_expected = found.ravel(), expected.ravel()
    bits = f"V{found.dtype.itemsize}"
    differs = flat_found.view(bits) != flat_expected.view(bits)
    i = int(np.argmax(differs))
    more = f" ({int(differs.sum())} elements differ)" if differs.sum() > 1 else ""
    return f"element {i} is {flat_found[i]}, must be {flat_expected[i]}{more}"
