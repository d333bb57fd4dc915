"""Complex CSI through a bundle that wants amplitudes: derived per frame, before frames are joined in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from factories import random_bundle

from edgehar.contract import Contract
from edgehar.errors import ContractError
from edgehar.many.pipeline import ManyPipeline
from edgehar.pipeline import Pipeline
from edgehar.types import Chunk, StreamSpec

CARRIERS = range(4)
AMPS = tuple(f"sc{k:+d}.amp" for k in CARRIERS)
IQ = tuple(f"sc{k:+d}.{part}" for k in CARRIERS for part in ("re", "im"))
RATE_HZ = 50.0
BARE = random_bundle("fastgrnn", window=16, hop=8, channels=4, hidden=5)
CONTRACT = Contract("csi", AMPS, ("frame_mean",) * 4, RATE_HZ, axes="")
BUNDLE = replace(BARE, manifest=replace(BARE.manifest, contract=CONTRACT))


def chunk(channels, unit, x, t_ns):
    n = len(x)
    spec = StreamSpec("csi", channels, RATE_HZ, (unit,) * len(channels), axes="")
    return Chunk(spec, t_ns, t_ns, np.arange(n), x.astype(np.float32), np.zeros(n, np.uint16))


def logits(stream):
    pipeline = Pipeline(BUNDLE, "reference", clock=lambda: 0)
    pipeline.push(stream)
    return np.array([scores.logits for scores in pipeline.last_scores])


def test_random_phase_and_gain_of_frames_off_the_grid_do_not_matter():
    rng = np.random.default_rng(0)
    n = 120
    t_ns = np.cumsum(rng.integers(5, 40, n)) * 1_000_000
    still = np.array([1.0, 2.0, 3.0, 2.0])
    gain = rng.uniform(1, 30, (n, 1)) * np.exp(2j * np.pi * rng.random((n, 1)))
    h = still * gain
    x = np.stack([h.real, h.imag], axis=2).reshape(n, -1)
    seen = logits(chunk(IQ, "1", x, t_ns))
    plain = logits(chunk(AMPS, "frame_mean", np.tile(still / still.mean(), (n, 1)), t_ns))
    assert len(seen) > 3
    np.testing.assert_allclose(seen, plain, atol=1e-5)


def test_a_stream_that_lacks_a_subcarrier_is_refused_with_both_sides():
    x = np.ones((3, 6))
    with pytest.raises(ContractError, match=r"sc\+3.amp"):
        logits(chunk(IQ[:6], "1", x, np.arange(3) * 20_000_000))


def test_many_streams_derive_amplitudes_as_one_does():
    rng = np.random.default_rng(1)
    t_ns = np.arange(60) * 20_000_000
    one = chunk(IQ, "1", rng.normal(size=(60, 8)), t_ns)
    many = ManyPipeline(BUNDLE, one.spec, 2)
    found = many.push(np.ones(60, np.int64), t_ns, t_ns, one.seq, one.x)
    assert len(found.logits) > 3
    np.testing.assert_allclose(found.logits, logits(one), atol=1e-5)
