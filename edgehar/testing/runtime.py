"""`check_runtime`: what every runtime must do. Call it in the tests of a new one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgehar.bundle import Bundle
from edgehar.errors import InputError
from edgehar.runtimes import Runtime, make_runtime
from edgehar.testing.fault import demand
from edgehar.types import FloatArray, IntArray

METHODS = ("window", "push", "reset", "spike_rates")
TOLERANCE = 1e-5  # of max(1, |logit|), for models that do not spike
WINDOWS = 6


def check_runtime(make: Callable[[Bundle], Runtime], bundle: Bundle, *, tolerance: float = TOLERANCE) -> None:
    """Run `make(bundle)` on a random stream against itself and the reference runtime.

    Raises ProtocolFaultError at the first broken clause: window ends, whole windows against the stream and the
    reference, independence of chunking to the bit, reset, recovery from NaN, refusal of wrong shapes, spike rates.
    """
    manifest = bundle.manifest
    rng = np.random.default_rng(7)
    samples = manifest.window + (WINDOWS - 1) * manifest.hop + manifest.hop // 2
    x = rng.standard_normal((samples, manifest.model["inputs"])).astype(np.float32)
    runtime = make(bundle)
    lacking = [name for name in METHODS if not hasattr(type(runtime), name)]
    _demand(not lacking, f"{type(runtime).__name__} has all methods, but {', '.join(lacking)}")

    given = x.copy()
    ends, logits = runtime.push(given)
    expected = manifest.window + manifest.hop * np.arange(WINDOWS)
    _demand(np.array_equal(ends, expected), f"windows end at {expected.tolist()}, not at {ends.tolist()}")
    _demand(ends.dtype == np.int64 and logits.dtype == np.float32, "ends are int64, logits float32")
    _demand(logits.shape == (WINDOWS, manifest.outputs), "there is one row of logits for each end")
    _demand(np.array_equal(given, x), "push leaves its input as it was")

    _check_values(runtime, bundle, x, ends, logits, tolerance)
    _check_chunking(runtime, x, ends, logits)
    _check_nan(runtime, manifest.window, x, ends, logits)
    _check_refusal(runtime, manifest.window, x)
    rates = runtime.spike_rates()
    _demand(all(0 <= rate <= 1 for rate in rates.values()), f"spike rates lie between 0 and 1: {rates}")


def _check_values(
    runtime: Runtime, bundle: Bundle, x: FloatArray, ends: IntArray, logits: FloatArray, tolerance: float
) -> None:
    window = bundle.manifest.window
    reference = make_runtime("reference", bundle)
    cuts = [x[end - window : end] for end in ends]
    whole = np.stack([runtime.window(cut) for cut in cuts])
    right = np.stack([reference.window(cut) for cut in cuts])
    spiking = bool(reference.spike_rates())
    for name, found in (("the stream", logits), ("window()", whole)):
        if spiking:
            # One potential that rounds to the other side of its threshold is another spike: only the label must hold.
            _demand(bool((found.argmax(1) == right.argmax(1)).all()), f"{name} gives the reference's labels")
        else:
            error = float((np.abs(found - right) / np.maximum(1, np.abs(right))).max())
            _demand(error <= tolerance, f"{name} is within {tolerance:g} of the reference, off by {error:.2g}")


def _check_chunking(runtime: Runtime, x: FloatArray, ends: IntArray, logits: FloatArray) -> None:
    rng = np.random.default_rng(8)
    random_cuts = np.sort(rng.integers(0, len(x) + 1, 9))
    for name, cuts in (("one by one", np.arange(1, len(x))), ("in random chunks, some empty", random_cuts)):
        runtime.reset()
        parts = []
        for i, chunk in enumerate(np.split(np.asfortranarray(x), cuts)):
            chunk.flags.writeable = False
            parts.append(runtime.push(chunk))
            if i % 5 == 0:
                runtime.window(x[: ends[0]])  # must leave the stream alone
        _demand(np.array_equal(np.concatenate([e for e, _ in parts]), ends), f"pushed {name}, the ends are the same")
        same = np.concatenate([scores for _, scores in parts]).tobytes() == logits.tobytes()
        _demand(same, f"pushed {name} after a reset, the logits have the same bits")


def _check_nan(runtime: Runtime, window: int, x: FloatArray, ends: IntArray, logits: FloatArray) -> None:
    at = min(2, window - 1)
    spoiled = x.copy()
    spoiled[at] = np.nan
    runtime.reset()
    _, found = runtime.push(spoiled)
    later = ends - window > at
    _demand(np.array_equal(found[later], logits[later]), "a NaN is gone with the windows that hold it")
    runtime.reset()
    runtime.push(spoiled[: window - 1])
    runtime.reset()
    _demand(np.array_equal(runtime.push(x)[1], logits), "a NaN is gone after a reset")


def _check_refusal(runtime: Runtime, window: int, x: FloatArray) -> None:
    for name, act in (
        ("push takes only [n, inputs]", lambda: runtime.push(np.zeros((3, x.shape[1] + 1), np.float32))),
        ("window takes only [window, inputs]", lambda: runtime.window(np.zeros((window + 1, x.shape[1]), np.float32))),
    ):
        try:
            act()
        except InputError:
            continue
        _demand(holds=False, clause=f"{name} and raises InputError")


def _demand(holds: bool, clause: str) -> None:
    demand(holds, clause, "edgehar/runtimes/__init__.py")
