"""Raw channels in physical units through a file's own preprocessing, against the bundle's."""

from __future__ import annotations

import numpy as np
import pytest
from factories import random_bundle
from interpreters import Micro, run_litert
from tflite_cases import quantised

from edgehar.dsp.graph import Preprocess
from edgehar.errors import InputError
from edgehar.export.tflite.emit import emit_tflite
from edgehar.runtimes.tflite_file import read_description

MEAN, STD = [0.5, -1.0, 2.0], [2.0, 0.5, 4.0]
SOS = [[0.2, 0.4, 0.2, 1.0, -0.4, 0.2]]
CHAINS = {
    "normalize": ([{"op": "normalize", "mean": MEAN, "std": STD}], 3),
    "select and scale": (
        [{"op": "select", "channels": ["acc_z", "acc_x"]}, {"op": "scale", "factors": [0.1, -3.0]}],
        2,
    ),
    "compand": ([{"op": "compand", "gain": [4.0, 0.0, 100.0]}], 3),
    "compand all": ([{"op": "compand", "gain": [4.0, 1.0, 100.0]}], 3),
    "magnitude": ([{"op": "magnitude", "groups": [["acc_x", "acc_y", "acc_z"], ["acc_y"]]}], 2),
    "concat": (
        [
            {"op": "normalize", "mean": MEAN, "std": STD},
            {"op": "concat", "parts": [[], [{"op": "select", "channels": ["acc_y"]}, {"op": "rectify"}]]},
        ],
        4,
    ),
}


def bundle_with(ops, inputs, family="gru", **options):
    return random_bundle(
        family, window=16, hop=4, channels=3, inputs=inputs, hidden=8, classes=3, preprocess=ops, **options
    )


def raw(windows=6, seed=1):
    """Signals with zeros, large and tiny values."""
    x = np.random.default_rng(seed).standard_normal((windows, 16, 3)).astype(np.float32)
    x[0, :4] = [[0, 0, 0], [1e-30, -1e-6, 1e-3], [-80, 80, 400], [1, -1, 0]]
    return x


@pytest.mark.parametrize("chain", CHAINS)
def test_channels_in_physical_units_give_the_logits_of_preprocessed_samples(chain: str):
    bundle = bundle_with(*CHAINS[chain])
    model = emit_tflite(bundle, "window", "float32")
    graph = Preprocess(bundle.manifest.preprocess, bundle.manifest.contract.channels)
    micro = Micro(model)
    for window in raw():
        graph.reset()
        right = run_litert(model, {"x": graph.push(window)}, "samples")["logits"]
        np.testing.assert_allclose(run_litert(model, {"channels": window})["logits"], right, atol=2e-6)
        np.testing.assert_allclose(micro(window)[0], right, atol=2e-6)


def test_a_step_preprocesses_each_sample():
    bundle = bundle_with(*CHAINS["concat"])
    step, window = (emit_tflite(bundle, form, "float32") for form in ("step", "window"))
    x = raw()[1]
    h = np.zeros((1, 8), np.float32)
    for sample in x[:, None]:
        found = run_litert(step, {"channels": sample, "h": h})
        h = found["h_next"]
    np.testing.assert_allclose(found["logits"], run_litert(window, {"channels": x})["logits"], atol=1e-6)


def test_an_integer_file_takes_floats_and_quantises_behind_the_preprocessing():
    bundle = quantised(bundle_with(*CHAINS["compand"], golden_windows=32), "int8")
    model = emit_tflite(bundle, "window", "int8")
    graph = Preprocess(bundle.manifest.preprocess, bundle.manifest.contract.channels)
    window = raw()[2]
    right = run_litert(model, {"x": graph.push(window)}, "samples")["logits"]
    np.testing.assert_allclose(run_litert(model, {"channels": window})["logits"], right, atol=0.02)


def test_filters_with_a_memory_stay_outside_and_are_named():
    ops = [
        {"op": "median3"},
        {"op": "concat", "parts": [[{"op": "select", "channels": ["acc_x"]}], [{"op": "sos", "sos": SOS}]]},
        {"op": "normalize", "mean": [*MEAN, 0.0], "std": [*STD, 1.0]},
    ]
    with pytest.raises(InputError, match="delay"):
        emit_tflite(bundle_with([{"op": "concat", "parts": [[], [{"op": "median3"}]]}], 6))
    bundle = bundle_with(ops, 4, delay_samples=1)
    model = emit_tflite(bundle, "window", "float32")
    told = read_description(model, "file")
    assert told["channels"] == ["acc_x", "acc_x.2", "acc_y", "acc_z"]
    assert told["preprocess_outside"] == ops[:2]
    filtered = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    x = (filtered - np.float32([*MEAN, 0])) / np.float32([*STD, 1])
    right = run_litert(model, {"x": x}, "samples")["logits"]
    np.testing.assert_allclose(run_litert(model, {"channels": filtered})["logits"], right, atol=1e-6)


def test_without_preprocessing_one_subgraph_has_both_names():
    bundle = bundle_with([], 3)
    model, one = emit_tflite(bundle), emit_tflite(bundle, entries="samples")
    assert len(model) - len(one) < 200
    x = raw()[3]
    np.testing.assert_array_equal(
        run_litert(model, {"channels": x})["logits"], run_litert(model, {"x": x}, "samples")["logits"]
    )


def test_one_entry_makes_a_smaller_file():
    bundle = bundle_with(*CHAINS["concat"])
    both, channels, samples = (len(emit_tflite(bundle, "step", entries=e)) for e in ("both", "channels", "samples"))
    assert samples < channels < both
