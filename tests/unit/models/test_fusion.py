"""fusion: one network, in which no lone head hears another sensor, whatever is done to its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import SENSORS, random_bundle

from edgehar.bundle import Bundle, Contract, Sensor
from edgehar.errors import UsageError
from edgehar.models import make_model, restore_model
from edgehar.models.fusion import Fusion
from edgehar.runtimes import make_runtime
from edgehar.train.supervised import predict

WINDOW, HOP, LABELS = 48, 12, 3
EQUAL = (0, 0, 0, 1, 1, 1)
UNEQUAL = (0, 0, 0, 1, 1, 1, 1, 1, 1, 0)  # the last input: what preprocessing derived from the first sensor
WIRINGS = pytest.mark.parametrize("sensor", [EQUAL, UNEQUAL], ids=["equal", "unequal"])


def made(sensor: Sequence[int], **options: float) -> Fusion:
    """A small model whose normalisations have seen data."""
    sizes = {"channels": len(sensor), "classes": LABELS, "window": WINDOW, "width": 6, "width2": 8}
    model = make_model("fusion", seed=0, sensor=sensor, **sizes, **options)
    torch.manual_seed(0)
    model.train()
    for _ in range(3):
        model(torch.randn(32, WINDOW, len(sensor)))
    assert isinstance(model, Fusion)
    return model.eval()


def bundle_of(model: Fusion) -> Bundle:
    random = random_bundle("fusion", classes=LABELS)
    table, tensors = model.export()
    own = [tuple(i for i, of in enumerate(model.sensor) if of == n) for n in range(2)]
    order = [column for columns in own for column in columns]
    names = tuple(f"{SENSORS[model.sensor[column]]}.c{column}" for column in order)
    edge = len(own[0])
    sensors = (Sensor("wrist", tuple(range(edge))), Sensor("leg", tuple(range(edge, len(order)))))
    contract = Contract("imu", names, ("1",) * len(names), 50.0, sensors=sensors)
    select = {"op": "select", "channels": [names[order.index(i)] for i in range(len(order))]}
    manifest = replace(random.manifest, contract=contract, preprocess=(select,), window=WINDOW, hop=HOP, model=table)
    return replace(random, manifest=manifest, weights=tensors)


@WIRINGS
@pytest.mark.parametrize("runtime", ["reference", "numba"])
def test_the_exported_layers_are_the_trained_network(runtime: str, sensor: tuple[int, ...]) -> None:
    model = made(sensor)
    bundle = bundle_of(model)
    x = np.random.default_rng(0).standard_normal((6, WINDOW, len(sensor))).astype(np.float32)
    logits = np.array([make_runtime(runtime, bundle).window(one) for one in x])
    assert logits.shape == (6, 3 * LABELS)
    np.testing.assert_allclose(logits, predict(model, x), rtol=1e-4, atol=1e-5)
    restored = restore_model(bundle.manifest, bundle.weights)
    np.testing.assert_allclose(predict(restored, x), logits, rtol=1e-4, atol=1e-5)
    assert set(restored.matrices()) == {name for name in bundle.weights if name.endswith(".w")}
    again, tensors = restored.export()
    assert again == bundle.manifest.model
    for name, weights in bundle.weights.items():
        np.testing.assert_allclose(tensors[name], weights, rtol=1e-6, atol=1e-7, err_msg=name)


@WIRINGS
def test_a_lone_head_stays_deaf_to_the_other_sensor_while_everything_is_trained(sensor: tuple[int, ...]) -> None:
    model = made(sensor, lost=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        model.loss(torch.randn(16, WINDOW, len(sensor)), torch.arange(16) % LABELS).backward()
        optimizer.step()
    with torch.no_grad():  # as a careless step of a compression would
        for matrix in model.matrices().values():
            matrix.add_(torch.randn_like(matrix))
    bundle = bundle_of(model.eval())
    runtime = make_runtime("reference", bundle)
    x = np.random.default_rng(1).standard_normal((WINDOW, len(sensor))).astype(np.float32)
    for number in range(2):
        changed = x.copy()
        changed[:, np.array(sensor) != number] += 100
        before, after = (runtime.window(one).reshape(3, LABELS) for one in (x, changed))
        assert (before[1 + number] == after[1 + number]).all()
        assert (before[0] != after[0]).all()
        assert (before[2 - number] != after[2 - number]).all()


def test_the_weight_of_the_lone_heads_scales_their_losses() -> None:
    x, y = torch.randn(8, WINDOW, 6), torch.arange(8) % LABELS
    with torch.no_grad():
        none, one, two = (made(EQUAL, alone=weight).loss(x, y) for weight in (0.0, 1.0, 2.0))
    model = made(EQUAL)
    with torch.no_grad():
        heads = model(x).reshape(8, 3, LABELS)
    each = [float(torch.nn.functional.cross_entropy(heads[:, n], y)) for n in range(3)]
    assert float(none) == pytest.approx(each[0], rel=1e-5)
    assert float(one) == pytest.approx(each[0] + (each[1] + each[2]) / 2, rel=1e-5)
    assert float(two) == pytest.approx(each[0] + each[1] + each[2], rel=1e-5)


def test_a_sensor_is_lost_to_the_head_on_all_in_training_only() -> None:
    x, y = torch.randn(64, WINDOW, 6), torch.arange(64) % LABELS
    always = made(EQUAL, lost=1.0 - 1e-9, dropout=0.0, alone=0.0)
    with torch.no_grad():
        complete = float(always.loss(x, y))
        for norm in (m for m in always.modules() if isinstance(m, torch.nn.BatchNorm1d)):
            norm.momentum = 0.0
        always.train()
        for norm in (m for m in always.modules() if isinstance(m, torch.nn.BatchNorm1d)):
            norm.eval()
        losses = {round(float(always.loss(x, y)), 6) for _ in range(4)}
    assert len(losses) > 1
    assert round(complete, 6) not in losses


@pytest.mark.parametrize("sensor", [(), (0,) * 6, (0, 0, 0, 2, 2, 2), (0, 1)])
def test_inputs_that_are_no_two_sensors_are_refused(sensor: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="two sensors or more, 6 inputs come from") as caught:
        make_model("fusion", channels=6, classes=LABELS, window=WINDOW, seed=0, sensor=sensor)
    assert "--sensors" in caught.value.hint
