"""The fused L2MU against the same network built from snntorch neurons, and what it exports."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgehar.errors import UsageError
from edgehar.models.l2mu import L2MU
from edgehar.models.l2mu_reference import reference_run

SMALL = {"memory": 3, "order": 4, "theta": 6.0, "hidden": 20, "pop": 5, "encoding": 12, "encoded": 10, "fixed": ()}
CASES = [
    {"neuron": "leaky", "encoder": "single", "readout": "count"},
    {"neuron": "leaky", "encoder": "stacked", "readout": "membrane"},
    {"neuron": "synaptic", "encoder": "stacked", "readout": "membrane", "legacy_transposed_A": True},
    {"neuron": "synaptic", "encoder": "plain", "readout": "count", "per_neuron": False},
]


def small(**options) -> L2MU:
    torch.manual_seed(0)
    model = L2MU.build(channels=3, classes=4, window=20, **{**SMALL, **options})
    with torch.no_grad():
        model.E_m.normal_(0.0, 0.5)  # zero at the start; its path must count here
    return model


@pytest.mark.parametrize("options", CASES, ids=lambda o: "-".join(str(v) for v in o.values()))
def test_fused_kernel_equals_snntorch(options):
    model = small(**options).double()
    x = torch.randn(70, 20, 3, dtype=torch.float64)  # more rows than one cache block
    logits, spikes = model.run(x)
    expected_logits, expected_spikes = reference_run(model, x)
    assert spikes.keys() == expected_spikes.keys()
    for name, expected in expected_spikes.items():
        assert torch.equal(spikes[name], expected), name
        assert 0.0 < expected.mean() < 1.0 or name == "o", name
    torch.testing.assert_close(logits, expected_logits, rtol=1e-9, atol=1e-9)

    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    towards = torch.randn_like(logits)

    def gradients(y: torch.Tensor, s: dict[str, torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
        # The memory's rate takes part too, as it does in the penalty.
        return torch.autograd.grad((y * towards).sum() + s["m"].mean(), [p for _, p in named], allow_unused=True)

    got, expected = gradients(logits, spikes), gradients(expected_logits, expected_spikes)
    for (name, _), g, e in zip(named, got, expected, strict=True):
        if e is None:
            assert g is None, name
            continue
        scale = float(e.abs().max())
        assert scale > 0, name
        # snntorch evaluates its surrogate in float32.
        torch.testing.assert_close(g, e, rtol=1e-5, atol=1e-5 * scale, msg=name)


def test_reset_is_late_by_one_step_and_subtracts():
    model = small(encoder="plain", beta={"h": 1.0}, threshold={"h": 1.0, "m": 1e6})
    with torch.no_grad():
        model.W_h.zero_()
        model.W_x.zero_()
        model.W_x[:, 0] = 0.6
    x = torch.zeros(1, 20, 3)
    x[:, :6, 0] = 1.0
    spikes = model.run(x)[1]["h"][:, 0, 0]
    # U = 0.6, 1.2*, 0.8, 1.4*, 1.0 (not above the threshold), 1.6*, 0.6 (reset, no drive), 0.6 ...
    assert spikes[:8].tolist() == [0, 1, 0, 1, 0, 1, 0, 0]


def test_export_names_every_tensor_and_effective_values():
    model = small(neuron="synaptic", encoder="stacked", readout="membrane")
    with torch.no_grad():
        model.population("h").beta.fill_(1.7)
        model.population("u").threshold.fill_(-1.0)
    config, tensors = model.export()
    assert config["family"] == "l2mu"
    assert (config["inputs"], config["classes"], config["memory"], config["order"]) == (3, 4, 3, 4)
    populations = {"enc0": 15, "enc1": 12, "enc2": 10, "u": 3, "m": 12, "h": 20, "o": 4}
    for name, size in populations.items():
        for prefix in ("alpha", "beta", "thr"):
            assert tensors[f"{prefix}_{name}"].shape == (size,)
    assert tensors["beta_h"].max() == 1.0
    assert tensors["thr_u"].min() > 0.0
    assert tensors["W_o"].shape == (4, 20)
    np.testing.assert_allclose(tensors["W_o"], model.output.weight.detach().numpy() * model.readout_scale)
    assert all(t.dtype == np.float32 and np.isfinite(t).all() for t in tensors.values())


def test_legacy_switch_transposes_the_memory_matrix():
    np.testing.assert_array_equal(small().export()[1]["A"], small(legacy_transposed_A=True).export()[1]["A"].T)


def test_penalty_pushes_a_dead_memory_to_life_and_leaves_a_live_one():
    x = torch.randn(16, 20, 3)
    dead = small(threshold={"m": 30.0}, rate_weight=1.0).train()
    dead(x)
    assert dead.rates(x)["m"] == 0.0
    assert dead.penalty() > 0.0
    dead.penalty().backward()
    assert (dead.population("m").threshold.grad > 0).any()  # descending lowers the threshold
    live = small(rate_band=(0.0, 1.0)).train()
    live(x)
    assert live.penalty() == 0.0
    assert set(live.rates(x)) == {"enc0", "u", "m", "h", "o"}


def test_fixed_populations_keep_their_leaks():
    trained = {n for n, p in small(fixed=("m", "u")).named_parameters() if p.requires_grad}
    assert "populations.h.beta" in trained
    assert not trained & {f"populations.{p}.{v}" for p in "mu" for v in ("beta", "threshold")}


def test_unknown_choice_names_the_known_ones():
    with pytest.raises(UsageError, match="no readout 'sum'") as caught:
        small(readout="sum")
    assert "count" in caught.value.hint
