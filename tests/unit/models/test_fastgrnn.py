"""FastGRNN: the fused training step equals plain torch, the exported tensors reproduce the logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgehar.models.fastgrnn import FastGRNN
from edgehar.train.kernels.fastgrnn import fastgrnn_states, fastgrnn_states_plain
from edgehar.train.kernels.tanh import tanh32


def build(**options):
    torch.manual_seed(3)
    return FastGRNN.build(**{"channels": 5, "classes": 4, "window": 20, "hidden": 12, **options})


def cell(batch, channels, hidden, steps, seed=0):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape, std=1.0):
        return (std * torch.randn(*shape, generator=g)).requires_grad_()

    weights = [draw(hidden, channels, std=0.5), draw(hidden, hidden, std=0.2), draw(hidden), draw(hidden)]
    scalars = [torch.tensor([0.7], requires_grad=True), torch.tensor([0.05], requires_grad=True)]
    return [draw(steps, batch, channels), *weights, *scalars]


@pytest.mark.parametrize(("batch", "channels", "hidden", "steps"), [(1, 1, 1, 1), (3, 9, 17, 25), (32, 6, 80, 40)])
def test_the_fused_step_equals_plain_torch_forwards_and_backwards(batch, channels, hidden, steps):
    arguments = cell(batch, channels, hidden, steps)
    weight = torch.randn(steps, batch, hidden, generator=torch.Generator().manual_seed(9))

    def run(function):
        states = function(*arguments)
        return states.detach(), torch.autograd.grad((weight * states).sum(), arguments)

    states, grads = run(fastgrnn_states)
    expected, expected_grads = run(fastgrnn_states_plain)
    torch.testing.assert_close(states, expected, rtol=0, atol=2e-6)
    for grad, want in zip(grads, expected_grads, strict=True):
        scale = want.abs().max().clamp(min=1.0)
        torch.testing.assert_close(grad / scale, want / scale, rtol=0, atol=1e-5)


def test_plain_torch_in_double_precision_passes_gradcheck():
    arguments = [a.detach().double().requires_grad_() for a in cell(2, 2, 3, 4)]
    assert torch.autograd.gradcheck(fastgrnn_states, arguments)  # float64 takes the plain loop


def test_inputs_that_need_no_gradient_get_none_and_leave_the_others_unchanged():
    arguments = cell(4, 3, 8, 10)
    with_x = torch.autograd.grad(fastgrnn_states(*arguments).sum(), arguments)[1:]
    constant = [arguments[0].detach(), *arguments[1:]]
    without_x = torch.autograd.grad(fastgrnn_states(*constant).sum(), constant[1:])
    for a, b in zip(with_x, without_x, strict=True):
        assert torch.equal(a, b)


def test_vector_tanh_is_tanh():
    x = np.concatenate([np.linspace(-12, 12, 4001), [0.0, 1e-8, -1e4, 1e4]]).astype(np.float32)
    y = np.array([tanh32(v) for v in x], np.float64)
    assert np.abs(y - np.tanh(x.astype(np.float64))).max() < 5e-7
    assert np.abs(y).max() <= 1


@pytest.mark.parametrize(("rank_w", "rank_u"), [(None, None), (3, 5), (2, None), (None, 4)])
def test_exported_tensors_reproduce_the_logits(rank_w, rank_u):
    model = build(rank_w=rank_w, rank_u=rank_u, longest_memory=30.0).eval()
    x = torch.randn(7, 20, 5, generator=torch.Generator().manual_seed(1))
    table, tensors = model.export()
    ranks = {"rank_w": rank_w, "rank_u": rank_u}
    assert table == {"family": "fastgrnn", "inputs": 5, "classes": 4, "hidden": 12, **ranks}
    assert all(t.dtype == np.float32 and t.flags.c_contiguous for t in tensors.values())
    t = {name: value.astype(np.float64) for name, value in tensors.items()}
    w = t["W"] if rank_w is None else t["W1"] @ t["W2"].T
    u = t["U"] if rank_u is None else t["U1"] @ t["U2"].T
    h = np.zeros((7, 12))
    for step in range(20):
        s = x[:, step].double().numpy() @ w.T + h @ u.T
        z = 1 / (1 + np.exp(-(s + t["b_z"])))
        h = (t["zeta"] * (1 - z) + t["nu"]) * np.tanh(s + t["b_h"]) + z * h
    logits = h @ t["fc_w"].T + t["fc_b"]
    np.testing.assert_allclose(model(x).detach().numpy(), logits, atol=5e-6)


def test_low_rank_products_start_with_the_spread_of_full_matrices():
    full, low = build(hidden=80), build(hidden=80, rank_w=4, rank_u=16)
    for matrix in ("w", "u"):
        ratio = getattr(low, matrix)().detach().std() / getattr(full, matrix)().detach().std()
        assert 0.7 < float(ratio) < 1.4


def test_dropout_acts_in_training_only():
    model = build(dropout=0.5)
    x = torch.randn(6, 20, 5)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_gate_biases_start_with_the_memories_asked_for():
    """With s = 0 the gate keeps z = (m - 1) / m of the state: memory m samples."""
    z = torch.sigmoid(build(longest_memory=30.0).b_z.detach())
    memory = 1 / (1 - z)
    torch.testing.assert_close(memory[[0, -1]], torch.tensor([2.0, 30.0]), rtol=0.01, atol=0)


def test_a_few_steps_of_training_lower_the_loss():
    model = build(rank_w=3, rank_u=6)
    g = torch.Generator().manual_seed(5)
    y = torch.arange(64) % 4
    x = torch.randn(64, 20, 5, generator=g) + y.view(-1, 1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    first = float(model.loss(x, y).detach())
    for _ in range(30):
        optimizer.zero_grad()
        loss = model.loss(x, y)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.3 * first
