"""Raw continuous recordings through the shipped pipeline give UCI HAR's own windows, channels and labels.

The official windows were cut from filtered recordings; here the filters travel in a bundle and the raw samples are
streamed, windows taken at the official offsets, smoothing and abstention off.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import Bundle
from edgehar.datasets.chains import chain
from edgehar.pipeline import Pipeline
from edgehar.runtimes import Runtime, make_runtime
from edgehar.types import Chunk, Status, StreamSpec

PERIOD_NS = 20_000_000
# Raw values and windows are float32, the published ones came from text in which the last digits were cut.
HALF_LSB = 0.5 + 0.002
NEAR_TIE = 1e-3
ONE_BY_ONE = 36  # this experiment is streamed sample by sample


class Watched:
    """A runtime that remembers every window it was given."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.windows: list[np.ndarray] = []
        self.logits: list[np.ndarray] = []

    def window(self, x):
        self.windows.append(x.copy())
        self.logits.append(self._runtime.window(x))
        return self.logits[-1]

    def push(self, x):
        raise AssertionError("official offsets need whole windows")

    def reset(self):
        self._runtime.reset()

    def spike_rates(self):
        return self._runtime.spike_rates()


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    official = chain("uci-har")
    return random_bundle(
        "fastgrnn",
        window=128,
        hop=64,
        channels=6,
        inputs=9,
        classes=6,
        hidden=16,
        seed=3,
        preprocess=[dict(op) for op in official.operations],
        delay_samples=1,
    )


def test_raw_stream_gives_the_official_test_windows(shared_data, bundle):
    raw = dict(np.load(shared_data / "imu" / "uci_har" / "hapt_raw_50hz.npz"))
    official = dict(np.load(shared_data / "imu" / "uci_har" / "uci_har_windows.npz"))
    scale, counts = official["scale"], official["X_test"]
    experiments, starts = official["exp_test"], official["start_test"]
    direct = make_runtime("numba", bundle)
    near_ties, compared, ties_rounded = [], 0, 0
    for experiment in np.unique(experiments):
        rows = np.flatnonzero(experiments == experiment)
        rows = rows[np.argsort(starts[rows])]
        watched = Watched(make_runtime("numba", bundle))
        pipeline = Pipeline(bundle, watched, starts=starts[rows], clock=lambda: 0)
        activities = [a for chunk in chunks_of(raw, bundle, int(experiment)) for a in pipeline.push(chunk)]
        activities += pipeline.flush()

        assert [a.status for a in activities] == [Status.OK] * len(rows)
        assert [a.coverage for a in activities] == [1.0] * len(rows)
        assert [a.t_ns for a in activities] == [(s + 127) * PERIOD_NS for s in starts[rows].tolist()]
        off = np.abs(np.stack(watched.windows) / scale - counts[rows])
        assert off.max() <= HALF_LSB, f"experiment {experiment}: {off.max():.4f} steps away"
        ties_rounded += int((np.rint(np.stack(watched.windows) / scale) != counts[rows]).sum())
        for activity, streamed, row in zip(activities, watched.logits, rows, strict=True):
            whole = direct.window((counts[row] * scale).astype(np.float32))
            if activity.label != bundle.manifest.labels[int(whole.argmax())]:
                margin = float(np.diff(np.sort(whole)[-2:])[0])
                near_ties.append(f"experiment {experiment} start {starts[row]}: margin {margin:.2e}")
                assert margin < NEAR_TIE, near_ties[-1]
            np.testing.assert_allclose(streamed, whole, atol=5e-3)
            compared += 1
    print(f"{compared} windows, {ties_rounded} of {counts.size} values at a rounding tie; labels apart: {near_ties}")
    assert compared == 2947


def chunks_of(raw: dict[str, np.ndarray], bundle: Bundle, experiment: int) -> Iterator[Chunk]:
    """One experiment's raw stream, one by one or in chunks of random lengths."""
    session = raw["session_name"].tolist().index(f"exp{experiment:02d}")
    first, n = int(raw["session_start"][session]), int(raw["session_length"][session])
    x = (raw["signal"][:, first : first + n].T * raw["scale"]).astype(np.float32)
    contract = bundle.manifest.contract
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units)
    t_ns = np.arange(n, dtype=np.int64) * PERIOD_NS
    flags = np.zeros(n, np.uint16)
    rng = np.random.default_rng(experiment)
    edge = 0
    while edge < n:
        end = min(n, edge + (1 if experiment == ONE_BY_ONE else int(rng.integers(1, 2000))))
        here = slice(edge, end)
        yield Chunk(spec, t_ns[here], t_ns[here], np.arange(edge, end), x[here], flags[here])
        edge = end
