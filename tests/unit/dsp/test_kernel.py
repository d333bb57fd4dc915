"""The kernels of the signal room give the same bits compiled and in Python, and Numba comes only when it is wanted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from edgehar.dsp.filters import median3, sosfilt
from edgehar.dsp.kernel import compile_kernels, kernel
from edgehar.dsp.resample import Resampler
from edgehar.types import Flag


def test_filters_have_the_same_bits_in_python():
    rng = np.random.default_rng(1)
    x, sos = rng.standard_normal((40, 3)), rng.standard_normal((2, 6))
    for function, arguments in ((sosfilt, (x, sos, np.zeros((2, 3, 2)))), (median3, (x, np.zeros((2, 3))))):
        found = [act(*(np.array(a) for a in arguments)).tobytes() for act in (function, function.python)]
        assert found[0] == found[1]


def test_the_resampler_has_the_same_bits_in_python(monkeypatch):
    """With jitter, losses, a gap, a restart of the clock, disorder, values that are missing and filled in."""
    rng = np.random.default_rng(2)
    t = (np.arange(300) * 20_000_000 + rng.integers(-3_000_000, 3_000_000, 300)).astype(np.int64)
    t[120:] += 700_000_000
    t[200:] -= 4_000_000_000
    t[50] = t[49]
    kept = np.delete(np.arange(300), [20, 21, 70, 160])
    x = rng.standard_normal((300, 2)).astype(np.float32)
    x[90, 1] = np.nan
    flags = np.zeros(300, np.uint16)
    flags[33] = int(Flag.SYNTHETIC)
    found = []
    for python in (False, True):
        if python:
            monkeypatch.setattr("edgehar.dsp.resample.resample", resample_in_python())
        resampler = Resampler(51.3, 2)
        pieces = list(resampler.push(t[kept], x[kept], flags[kept]))
        bits = [
            (p.begins, p.index, p.x.tobytes(), p.real.tobytes(), p.t_dev_ns.tobytes(), p.row.tobytes()) for p in pieces
        ]
        found.append((bits, resampler.unordered, resampler.missing))
    assert len(found[0][0]) >= 3
    assert found[0] == found[1]


def resample_in_python():
    from edgehar.dsp.resample import resample

    return resample.python


def test_a_kernel_is_compiled_when_it_is_called_and_wanted(monkeypatch):
    compiled = []
    monkeypatch.setattr("edgehar.dsp.kernel._compile", lambda function: compiled.append(function) or function)

    @kernel
    def double(x):
        return 2 * x

    try:
        compile_kernels(wanted=False)
        assert double(3) == 6
        assert not compiled
        compile_kernels(wanted=True)
        assert [double(3), double(4)] == [6, 8]
        assert len(compiled) == 1
    finally:
        compile_kernels(wanted=True)


def test_a_machine_without_numba_runs_in_python(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert kernel(lambda x: 2 * x)(3) == 6


@pytest.mark.parametrize("module", ["edgehar.dsp.resample", "edgehar.dsp.graph", "edgehar.pipeline"])
def test_importing_the_rooms_does_not_import_numba(module):
    code = f"import sys, {module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
