"""Quantised bundles: the compiled integers against the NumPy reference, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from factories import conv, random_bundle
from quantised import quantised

from edgehar.bundle import Bundle, open_bundle, save_bundle
from edgehar.errors import InputError
from edgehar.runtimes import make_runtime
from edgehar.runtimes.golden import check_golden
from edgehar.runtimes.numba import NumbaRuntime
from edgehar.testing import check_runtime

GROUPED = [
    conv("stem", 8, 4, 2, groups=2),
    {"op": "residual", "body": [conv("b1", 8, 3, groups=4), conv("b2", 8, 5, groups=8), conv("b3", 8, 1, relu=False)]},
    conv("wide", 12, 3, groups=4),
    {"op": "mean"},
    {"op": "linear", "name": "out"},
]
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("fastgrnn", {"hidden": 37}),
    ("fastgrnn", {"hidden": 21, "rank_w": 3, "rank_u": 7}),
    ("gru", {"hidden": 19}),
    ("cnn", {"hidden": 13}),
    ("csieffnet", {"hidden": 13}),
    ("dscnn", {"hidden": 9}),
    ("cnn", {"hidden": 8, "layers": GROUPED}),
    ("fusion", {"hidden": 13}),
    ("l2mu", {"neuron": "leaky", "encoder": "plain", "readout": "count"}),
    ("l2mu", {"neuron": "leaky", "encoder": "single", "readout": "membrane"}),
    ("l2mu", {"neuron": "leaky", "encoder": "stacked", "readout": "membrane"}),
    ("l2mu", {"neuron": "synaptic", "encoder": "stacked", "readout": "membrane"}),
    ("l2mu", {"neuron": "synaptic", "encoder": "plain", "readout": "count"}),
]
SCHEMES = [("int8", "conv"), ("int8", "all"), ("int8x16", "none")]
GRID = [(32, 16), (32, 12), (24, 40)]  # overlapping, hop that does not divide, gaps between windows


def stream(bundle: Bundle, windows: int = 5, scale: float = 1.0) -> np.ndarray:
    manifest = bundle.manifest
    samples = manifest.window + (windows - 1) * manifest.hop + 3
    rng = np.random.default_rng(5)
    return (scale * rng.standard_normal((samples, manifest.model["inputs"]))).astype(np.float32)


@pytest.mark.parametrize(("scheme", "per_channel"), SCHEMES)
@pytest.mark.parametrize(("family", "options"), MODELS)
def test_a_stream_has_the_references_bits(family, options, scheme, per_channel):
    for window, hop in GRID:
        if family in ("cnn", "dscnn") and hop % 4:
            continue
        bundle = quantised(random_bundle(family, window=window, hop=hop, **options), scheme, per_channel)
        x = stream(bundle)
        (ends, logits), (right_ends, right) = (make_runtime(name, bundle).push(x) for name in ("numba", "reference"))
        assert ends.tolist() == right_ends.tolist() != []
        assert logits.tobytes() == right.tobytes()
        assert np.ptp(right) > 0, "logits that never differ show nothing"


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_saturated_tensors_have_the_references_bits(family, options):
    bundle = quantised(random_bundle(family, **options), "int8")
    x = stream(bundle, scale=30.0)
    x[3, 0], x[9, 1] = np.inf, -np.inf
    fast, slow = (make_runtime(name, bundle).push(x)[1] for name in ("numba", "reference"))
    assert fast.tobytes() == slow.tobytes()


@pytest.mark.parametrize(("family", "options"), MODELS)
def test_the_compiled_runtime_keeps_the_protocol(family, options):
    check_runtime(NumbaRuntime, quantised(random_bundle(family, **options)), tolerance=0.0)


@pytest.mark.parametrize(("family", "options"), MODELS[:4])
def test_pruned_weights_change_nothing_but_the_result(family, options):
    bundle = random_bundle(family, **options)
    weights = {n: np.where(np.abs(w) < 0.3, 0, w) if w.ndim > 1 else w for n, w in bundle.weights.items()}
    sparse = quantised(replace(bundle, weights={n: w.astype(np.float32) for n, w in weights.items()}), "int8")
    fast, slow = (make_runtime(name, sparse).push(stream(sparse))[1] for name in ("numba", "reference"))
    assert fast.tobytes() == slow.tobytes()


@pytest.mark.parametrize(("family", "options"), [model for model in MODELS if model[0] == "l2mu"])
def test_spike_rates_of_windows_are_the_references(family, options):
    bundle = quantised(random_bundle(family, **options))
    fast, slow = make_runtime("numba", bundle), make_runtime("reference", bundle)
    for window in bundle.golden["x"][:3]:
        assert fast.window(window).tobytes() == slow.window(window).tobytes()
    assert fast.spike_rates() == pytest.approx(slow.spike_rates())
    assert set(fast.spike_rates()) >= {"u", "m", "h", "o"}
    assert any(rate > 0 for rate in fast.spike_rates().values())


def test_a_models_kernels_do_not_know_another_models():
    first, second = (quantised(random_bundle("fastgrnn", hidden=h, seed=h)) for h in (8, 24))
    runtimes = [make_runtime("numba", bundle) for bundle in (first, second)]
    for bundle, runtime in zip((first, second), runtimes, strict=True):
        np.testing.assert_array_equal(runtime.window(bundle.golden["x"][0]), bundle.golden["logits"][0])


@pytest.mark.parametrize("runtime", ["numba", "reference"])
def test_golden_logits_of_a_quantised_bundle_must_be_met_to_the_bit(tmp_path, runtime):
    bundle = quantised(random_bundle("gru"))
    path = tmp_path / "gru.edgehar"
    save_bundle(bundle, path)
    assert check_golden(open_bundle(path), str(path), runtime)["max_error"] == 0
    golden = {**bundle.golden, "logits": bundle.golden["logits"].copy()}
    golden["logits"][2, 1] = np.nextafter(golden["logits"][2, 1], np.float32(9))
    with pytest.raises(InputError, match="window 2"):
        check_golden(replace(bundle, golden=golden), "nudged", runtime)
