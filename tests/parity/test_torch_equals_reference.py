"""What the desk exports, the device computes: every family's torch forward against the reference runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factories import random_bundle

from edgehar.bundle import Bundle, Contract, Manifest, open_bundle, save_bundle, verify_bundle
from edgehar.registry import resolve

torch = pytest.importorskip("torch", reason="needs the training install")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("fastgrnn", {}),
    ("gru", {}),
    ("cnn", {}),
    ("dscnn", {}),
    ("l2mu", {"encoder": "plain", "readout": "membrane"}),
    ("l2mu", {"encoder": "single", "neuron": "synaptic"}),
    ("l2mu", {"encoder": "stacked", "readout": "membrane"}),
]


@pytest.mark.parametrize(("family", "options"), CASES)
def test_export_gives_the_logits_of_torch(family: str, options: dict[str, Any], tmp_path: Any) -> None:
    from edgehar.models import MODELS

    torch.manual_seed(3)
    model = resolve("models", MODELS, family).build(channels=6, classes=5, window=128, **options).eval()
    x = np.random.default_rng(2).standard_normal((12, 128, 6)).astype(np.float32)
    with torch.no_grad():
        logits = model(torch.from_numpy(x)).numpy().astype(np.float32)
    shape, weights = model.export()
    channels = random_bundle("gru", golden_windows=1).manifest.contract
    contract = Contract(channels.kind, channels.channels, channels.units, 50.0)
    manifest = Manifest("exported", contract, 128, 64, tuple("abcde"), shape)
    save_bundle(Bundle(manifest, weights, {"x": x, "logits": logits}, {}), tmp_path / "m.edgehar")
    assert open_bundle(tmp_path / "m.edgehar").manifest.model == shape
    report = verify_bundle(tmp_path / "m.edgehar")
    assert report["windows"] == 12
    if family != "l2mu":
        assert report["max_error"] <= 1e-5
