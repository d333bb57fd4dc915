"""Timings are of equal outputs, in the fastest setting of each peer, and told as table, JSON and plot."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import random_bundle
from quantised import quantised

from edgehar.bench.latency import HOP, WINDOW, Latency, measure_latency
from edgehar.bench.peers import field_of
from edgehar.bench.single_samples import BETWEEN, LAST
from edgehar.bench.timing import Timing, machine, pinned, time_in_turn
from edgehar.bundle import Bundle, save_bundle
from edgehar.cli.app import main
from edgehar.cli.desk import DESK
from edgehar.errors import InputError, UsageError
from edgehar.runtimes import make_runtime
from edgehar.runtimes.shared_library import COMPILERS

OURS = {HOP, WINDOW, LAST, BETWEEN}


def measured(bundle: Bundle, *peers: str, peer_bundle: Bundle | None = None) -> Latency:
    return measure_latency(bundle, peers, DESK, peer_bundle=peer_bundle, rounds=1)


def test_every_call_has_its_turn() -> None:
    order: list[str] = []
    timings = time_in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, singles=5)
    assert set(timings) == {"a", "b"}
    assert min(order.count("a"), order.count("b")) >= 8
    assert 0 <= timings["a"].wall_us <= timings["a"].wall_p99_us


def test_pinning_ends() -> None:
    import os

    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system cannot pin a thread to a core")
    before = os.sched_getaffinity(0)
    with pinned() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_the_runtime_alone_needs_no_peer() -> None:
    told = measured(random_bundle("fastgrnn", hop=4))
    assert set(told.timings) == OURS
    assert told.machine.keys() == machine().keys()


@pytest.mark.parametrize("family", ["fastgrnn", "cnn", "l2mu"])
def test_litert_is_timed_in_each_of_its_forms(family: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install 'edgehar[litert]'")
    told = measured(random_bundle(family, hop=4), "litert")
    forms = {name for name in told.timings if name.startswith("litert, ")}
    assert len(forms) == (1 if family == "cnn" else 2)
    assert told.best("litert") == min(forms, key=lambda name: told.timings[name].cpu_us)


@pytest.mark.parametrize(("family", "settings"), [("fastgrnn", 4), ("gru", 4), ("cnn", 2)])
def test_onnx_runtime_is_timed_as_a_loop_and_unrolled_by_run_and_with_bound_arrays(family: str, settings: int) -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'edgehar[ort]'")
    told = measured(random_bundle(family), "ort")
    assert sum(name.startswith("ort, ") for name in told.timings) == settings
    assert all(error < 1e-4 for error in told.errors.values())


def test_torch_computes_the_same_model_eagerly() -> None:
    pytest.importorskip("torch", reason="pip install 'edgehar[train]'")
    bundle = random_bundle("fastgrnn")
    x = bundle.golden["x"][:8].astype(np.float32)
    (eager, *_) = field_of("torch", bundle, DESK).contestants
    expected = [make_runtime("reference", bundle).window(one) for one in x]
    np.testing.assert_allclose([eager.window(one) for one in x], expected, atol=1e-5)


@pytest.mark.slow
def test_torch_is_timed_compiled_too() -> None:
    pytest.importorskip("torch", reason="pip install 'edgehar[train]'")
    told = measured(random_bundle("cnn", hop=4), "torch")
    assert any("compiled" in name for name in [*told.timings, *told.absent])


def test_the_exported_c_is_timed_by_window_and_by_hop() -> None:
    if not any(map(shutil.which, COMPILERS)):
        pytest.skip("no C compiler: sudo apt-get install gcc libc6-dev")
    told = measured(random_bundle("cnn", hop=4), "c")
    assert sum(name.startswith("c, ") for name in told.timings) == 2


def test_a_peer_may_run_the_quantised_twin() -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install 'edgehar[litert]'")
    bundle = random_bundle("cnn", golden_windows=16)
    told = measured(bundle, "litert", peer_bundle=quantised(bundle, "int8"))
    assert "int8" in told.best("litert")


def test_different_outputs_are_not_timed() -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install 'edgehar[litert]'")
    bundle = random_bundle("fastgrnn")
    other = replace(bundle, weights={**bundle.weights, "fc_b": bundle.weights["fc_b"] + np.float32(0.01)})
    with pytest.raises(InputError, match=r"litert.* differs from the reference runtime"):
        measure_latency(bundle, ["litert"], replace(DESK, file=lambda _, *form: DESK.file(other, *form)), rounds=1)


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(UsageError, match="peer 'tvm'"):
        measured(random_bundle("fastgrnn"), "tvm")


def test_the_command_prints_json_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="pip install 'edgehar[report]'")
    save_bundle(random_bundle("fastgrnn"), tmp_path / "m.edgehar")
    assert main(["bench", "latency", str(tmp_path / "m.edgehar"), "--json", "--plot", str(tmp_path / "p.svg")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["timings"]) == OURS
    assert (tmp_path / "p.svg").stat().st_size > 1000
    assert main(["bench", "warmth", str(tmp_path / "m.edgehar")]) == 2


def test_best_is_the_fastest_setting() -> None:
    timings = {"x, slow": Timing(3, 3, 3, 1), "x, fast": Timing(2, 2, 2, 1), "y, faster": Timing(1, 1, 1, 1)}
    assert Latency(timings, dict.fromkeys(timings, ""), {}, {}, {}, 8, 4).best("x") == "x, fast"
