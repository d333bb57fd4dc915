"""Random bundles for tests: every family, any size, weights from a seed and spread so that the logits differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgehar.bundle import Bundle, Contract, Decision, Manifest, Sensor
from edgehar.runtimes.layout import tensor_layout

SENSORS = ("wrist", "leg")
AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")


def random_bundle(
    family: str,
    *,
    window: int = 32,
    hop: int = 16,
    channels: int = 6,
    classes: int = 4,
    hidden: int = 16,
    seed: int = 0,
    preprocess: Sequence[Mapping[str, Any]] = (),
    rate_hz: float = 50.0,
    inputs: int | None = None,
    delay_samples: int = 0,
    decision: Decision | None = None,
    golden_windows: int = 8,
    **options: Any,
) -> Bundle:
    """A bundle that opens, runs and verifies. `options` override entries of the model object, e.g. rank_w=3.

    `inputs` (default: `channels`) is the number of channels after `preprocess`. For the convnets `hidden` is the
    width, and `hop` must be a multiple of 2 (of 4 for dscnn), or give `layers`.
    The channels of fusion are two sensors', half of them each; `hidden` is the width for each sensor.
    """
    inputs = channels if inputs is None else inputs
    outputs = classes * (1 + len(SENSORS)) if family == "fusion" else classes
    model = {"family": family, "inputs": inputs, "classes": outputs, **_shape(family, hidden, classes), **options}
    names = AXES[:channels] if channels <= 6 else tuple(f"ch_{i}" for i in range(channels))
    units = tuple("g" if n.startswith("acc") else "radps" if n.startswith("gyro") else "1" for n in names)
    sensors: tuple[Sensor, ...] = ()
    if family == "fusion":
        model = {"sensor": [i * 2 // inputs for i in range(inputs)], **model}
        half = channels // 2
        names = tuple(f"{sensor}.{name}" for sensor in SENSORS for name in names[:half])
        units = units[:half] * 2
        sensors = tuple(Sensor(name, tuple(range(half * i, half * (i + 1)))) for i, name in enumerate(SENSORS))
    manifest = Manifest(
        model_id=f"{family}-random-{seed}",
        contract=Contract("imu", names, units, rate_hz, delay_samples=delay_samples, sensors=sensors),
        preprocess=tuple(preprocess),
        window=window,
        hop=hop,
        labels=tuple(f"class_{i}" for i in range(classes)),
        model=model,
        decision=decision or Decision(),
        provenance={"dataset": "random", "seed": seed},
    )
    rng = np.random.default_rng(seed)
    weights = {name: _tensor(name, shapes, model, rng) for name, shapes in sorted(tensor_layout(manifest).items())}
    if family == "fusion":
        hide_the_other_sensor(weights["fc.w"], classes)
    x = rng.standard_normal((golden_windows, window, inputs)).astype(np.float32)
    bare = Bundle(manifest, weights, {}, {})
    golden = {"x": x, "logits": _logits(bare, x)}
    return Bundle(manifest, weights, golden, {"accuracy": 25.0, "protocol": "random weights"})


def _logits(bundle: Bundle, x: np.ndarray) -> np.ndarray:
    from edgehar.runtimes import make_runtime

    runtime = make_runtime("reference", bundle)
    return np.stack([runtime.window(window) for window in x])


def _shape(family: str, hidden: int, classes: int) -> dict[str, Any]:
    if family == "fastgrnn":
        return {"hidden": hidden, "rank_w": None, "rank_u": None}
    if family == "gru":
        return {"hidden": hidden}
    if family == "l2mu":
        sizes = {"memory": 3, "order": 4, "theta": 8.0, "hidden": hidden, "pop": 4, "encoding": 12, "encoded": 10}
        return {**sizes, "neuron": "leaky", "encoder": "stacked", "legacy_transposed_A": False, "readout": "membrane"}
    return {"layers": LAYERS[family](hidden)}


def conv(name: str, out: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True) -> dict[str, Any]:
    """One `conv` layer of a convnet's model object."""
    return {
        "op": "conv",
        "name": name,
        "out": out,
        "kernel": kernel,
        "stride": stride,
        "groups": groups,
        "relu": relu,
    }


def cnn_layers(width: int) -> list[dict[str, Any]]:
    """Strided stem, one residual; total stride 2; needs a window of at least 14 samples."""
    body = [conv("body1", width, 3), conv("body2", width, 3, relu=False)]
    tail: list[dict[str, Any]] = [{"op": "mean"}, {"op": "linear", "name": "fc"}]
    return [conv("stem", width, 5, 2), {"op": "residual", "body": body}, *tail]


def csicnn_layers(width: int) -> list[dict[str, Any]]:
    """A projection, filters for each of its four rows, a residual; total stride 2; a window of at least 14 samples."""
    filters = [conv("cosines", 4, 1, relu=False), conv("shared", 12, 5, 2, 4), conv("mix", width, 1)]
    body = [conv("body1", width, 3), conv("body2", width, 3, relu=False)]
    tail: list[dict[str, Any]] = [{"op": "mean"}, {"op": "linear", "name": "fc"}]
    return [*filters, {"op": "residual", "body": body}, *tail]


def csieffnet_layers(width: int) -> list[dict[str, Any]]:
    """A projection, a stem and a fused MBConv for each of two bands, two MBConvs, the first of them without a skip.

    Total stride 2; needs a window of at least 14 samples.
    """
    stem = [conv("rows", 6, 1, relu=False), conv("stem", 8, 3, 2, 2)]
    fused = [conv("fused1", 24, 3, 1, 2), conv("fused2", 8, 1, 1, 2, relu=False)]
    first = [conv("expand1", width, 1), conv("depth1", width, 3, 1, width), conv("project1", 5, 1, relu=False)]
    second = [conv("expand2", width, 1), conv("depth2", width, 3, 1, width), conv("project2", 5, 1, relu=False)]
    tail: list[dict[str, Any]] = [conv("features", width, 1), {"op": "mean"}, {"op": "linear", "name": "fc"}]
    return [*stem, {"op": "residual", "body": fused}, *first, {"op": "residual", "body": second}, *tail]


def dscnn_layers(width: int) -> list[dict[str, Any]]:
    """Strided stem, two depthwise-separable blocks; total stride 4; needs a window of at least 19 samples."""
    blocks = [
        conv("depth1", width, 3, 2, width),
        conv("point1", width + 3, 1),
        conv("depth2", width + 3, 3, 1, width + 3),
        conv("point2", width, 1),
    ]
    return [conv("stem", width, 5, 2), *blocks, {"op": "mean"}, {"op": "linear", "name": "fc"}]


def fusion_layers(width: int) -> list[dict[str, Any]]:
    """A stem and one residual for each of two sensors; total stride 2; needs a window of at least 14 samples."""
    both = 2 * width
    body = [conv("body1", both, 3, groups=2), conv("body2", both, 3, groups=2, relu=False)]
    tail: list[dict[str, Any]] = [{"op": "mean"}, {"op": "linear", "name": "fc"}]
    return [conv("stem", both, 5, 2, 2), {"op": "residual", "body": body}, *tail]


LAYERS = {
    "cnn": cnn_layers,
    "csicnn": csicnn_layers,
    "csieffnet": csieffnet_layers,
    "dscnn": dscnn_layers,
    "fusion": fusion_layers,
}


def hide_the_other_sensor(head: np.ndarray, classes: int) -> None:
    """Zeros in a classifier [3 classes, features] where a lone head would hear the other sensor's half."""
    half = head.shape[1] // 2
    head[classes : 2 * classes, half:] = 0
    head[2 * classes :, :half] = 0


def _tensor(name: str, shapes: tuple[tuple[int, ...], ...], model: Mapping[str, Any], rng: Any) -> np.ndarray:
    """Weights of variance about 1 / fan-in; decays, thresholds and the Legendre matrices in their usable ranges."""
    shape = shapes[rng.integers(len(shapes))]
    if name in ("zeta", "nu"):  # with zeta + nu well above 1 the state would grow without bound; training avoids that
        value = rng.uniform(0.5, 0.9, shape) if name == "zeta" else rng.uniform(0.01, 0.1, shape)
    elif name.startswith(("beta_", "alpha_")):
        value = rng.uniform(0.3, 0.9, shape)
    elif name.startswith("thr_"):
        value = rng.uniform(0.05, 0.2, shape) if name in ("thr_u", "thr_m") else rng.uniform(0.2, 0.6, shape)
    elif model["family"] == "l2mu" and name in ("A", "B"):
        value = rng.standard_normal(shape) / np.sqrt(shape[0]) * (1.0 if name == "A" else 0.5)
    else:
        # The second factor of a low-rank pair is applied transposed.
        fan_in = 4 if len(shape) == 1 else shape[0] if name in ("W2", "U2") else int(np.prod(shape[1:]))
        value = 1.2 * rng.standard_normal(shape) / np.sqrt(fan_in)
    # Driven by the input and held back by each other, all populations keep firing and resting.
    sign = {"E_x": 1.0, "E_h": -1.0, "E_m": -1.0}.get(name, 0.0)
    return (sign * np.abs(value) if sign else value).astype(np.float32)
