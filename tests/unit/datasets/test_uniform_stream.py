"""Windows of CSI recordings: the very ones that the pipeline cuts from the stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle

from edgehar.contract import Contract
from edgehar.datasets.dataset import Dataset
from edgehar.datasets.session import About, Session, Source
from edgehar.datasets.store import write_dataset
from edgehar.datasets.uniform import CSI_RATE_HZ, UniformStream
from edgehar.datasets.windows import cut
from edgehar.pipeline import Pipeline
from edgehar.recording import Label
from edgehar.types import Flag, StreamSpec

IQ = ("sc-1.re", "sc-1.im", "sc+1.re", "sc+1.im")
AMPS = ("sc-1.amp", "sc+1.amp")
SPEC = StreamSpec("csi", IQ, 48.0, ("1",) * 4, axes="")
WINDOW, HOP = 25, 10


@pytest.fixture
def dataset(tmp_path):
    return _written(tmp_path / "d", _session(SPEC))


def _session(spec, flags=None):
    """Frames every 5 to 60 ms with a hole of two seconds after the two hundredth."""
    rng = np.random.default_rng(1)
    n = 600
    steps_ms = rng.integers(5, 60, n)
    steps_ms[200] = 2000
    t_ns = np.cumsum(steps_ms) * 1_000_000
    return Session(
        subject="1",
        name="a",
        spec=spec,
        t_ns=t_ns,
        seq=np.arange(n),
        x=rng.integers(-60, 60, (n, len(spec.channels))).astype(np.float32),
        labels=(Label(int(t_ns[0]), int(t_ns[-1]) + 1, "walk"),),
        flags=flags,
    )


def _written(path, session):
    write_dataset(Source(About(name="made-up", format="test", labels=("walk",)), [session], 1), path)
    return Dataset.open(path)


class Keeps:
    """A runtime whose logits are its number of windows; it keeps them."""

    def __init__(self):
        self.windows = []
        self.reset()

    def push(self, x):
        self.x = np.concatenate([self.x, x])
        ends = np.arange(WINDOW, len(self.x) + 1, HOP)
        ends = ends[ends > len(self.x) - len(x)]
        self.windows += [self.x[end - WINDOW : end] for end in ends]
        return ends, np.zeros((len(ends), 2), np.float32)

    def reset(self):
        self.x = np.empty((0, 2), np.float32)


def test_windows_are_those_of_the_pipeline(dataset):
    stream = UniformStream.of(dataset)
    assert stream is not None
    assert (stream.channels, stream.units, stream.rate_hz) == (AMPS, ("frame_mean",) * 2, CSI_RATE_HZ)
    windows = cut(dataset, window=WINDOW, hop=HOP, stream=replace(stream, min_coverage=0.0))
    bundle = random_bundle("fastgrnn", window=WINDOW, hop=HOP, channels=2, classes=2, hidden=4)
    contract = Contract("csi", AMPS, stream.units, CSI_RATE_HZ, axes="", rate_tolerance=stream.rate_tolerance)
    runtime = Keeps()
    pipeline = Pipeline(replace(bundle, manifest=replace(bundle.manifest, contract=contract)), runtime)
    for chunk in dataset.recordings[0].open().chunks():
        pipeline.push(chunk)
    assert len(windows) > 20
    np.testing.assert_array_equal(windows.x, np.array(runtime.windows))
    assert (np.diff(windows.start) > HOP).any()  # no window lies across the hole
    assert (windows.channels, windows.units, windows.rate_hz) == (AMPS, stream.units, CSI_RATE_HZ)


def test_windows_of_too_few_frames_are_left_out(tmp_path):
    flags = np.zeros(600, np.uint16)
    flags[:150:3] = flags[1:150:3] = Flag.SYNTHETIC  # what software filled in is not measured
    made = _written(tmp_path / "d", _session(SPEC, flags))
    stream = UniformStream.of(made)
    assert stream is not None
    some = cut(made, window=WINDOW, hop=HOP, stream=replace(stream, min_coverage=0.9))
    every = cut(made, window=WINDOW, hop=HOP, stream=replace(stream, min_coverage=0.0))
    assert 0 < len(some) < len(every)


def test_only_what_differs_is_resampled(dataset, tmp_path):
    imu = _written(tmp_path / "i", _session(replace(SPEC, kind="imu")))
    assert UniformStream.of(imu) is None
    assert UniformStream.of(imu, 48.0) is None
    slower = UniformStream.of(imu, 20.0)
    assert slower is not None
    assert (slower.channels, slower.rate_hz) == (IQ, 20.0)
    assert len(cut(imu, window=WINDOW, hop=HOP, stream=slower)) > 5
    asked = UniformStream.of(dataset, 10.0)
    assert asked is not None
    assert asked.rate_hz == 10.0
