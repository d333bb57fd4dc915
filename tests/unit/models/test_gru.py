"""The exported GRU tensors, run by the written equations, give torch's logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgehar.errors import UsageError
from edgehar.models import make_model


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def test_exported_tensors_follow_the_equations():
    model = make_model("gru", channels=4, classes=3, window=11, seed=2, hidden=7).eval()
    config, t = model.export()
    assert config == {"family": "gru", "inputs": 4, "classes": 3, "hidden": 7}
    x = np.random.default_rng(0).normal(size=(5, 11, 4)).astype(np.float32)
    h = np.zeros((5, 7))
    for step in range(11):
        r_x, z_x, n_x = np.split(x[:, step] @ t["w_ih"].T + t["b_ih"], 3, axis=1)
        r_h, z_h, n_h = np.split(h @ t["w_hh"].T + t["b_hh"], 3, axis=1)
        r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
        h = (1 - z) * np.tanh(n_x + r * n_h) + z * h
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(h @ t["fc_w"].T + t["fc_b"], expected, atol=1e-5)


def test_seed_decides_the_initial_weights():
    a, b, c = (make_model("gru", channels=4, classes=3, window=11, seed=s) for s in (1, 1, 2))
    assert torch.equal(a.fc.weight, b.fc.weight)
    assert not torch.equal(a.fc.weight, c.fc.weight)


def test_unknown_names_suggest():
    with pytest.raises(UsageError) as caught:
        make_model("gur", channels=4, classes=3, window=11, seed=0)
    assert "gru" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        make_model("gru", channels=4, classes=3, window=11, seed=0, layers=2)
    assert "hidden" in caught.value.hint
