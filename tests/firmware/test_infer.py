"""A bundle on the board: frames in, decisions over the wire, the same as the host makes of the same frames."""

from dataclasses import replace

import numpy as np
import pytest

from edgehar.boards.targets import find_target
from edgehar.boards.toolchain import run_program
from edgehar.dsp.csi import amplitude_np, by_frame_mean_np
from edgehar.dsp.resample import resample_np
from edgehar.errors import ContractError
from edgehar.export.c.csi_input import csi_input_header
from edgehar.runtimes import make_runtime
from edgehar.wire.codec import FrameDecoder
from edgehar.wire.layouts import layout_named
from tests.factories import random_bundle
from tests.firmware.core_cases import COMMON, CORE, FIRMWARE, HOST_TESTS
from tests.firmware.csi_model import CARRIERS, HOP, RATE_HZ, SHA256, WINDOW, csi_bundle, emitted
from tests.wire_frames import HT40, csi_frames, numbers

INFER = FIRMWARE / "infer"


def samples(iq, units):
    """What room 2 makes of frames before the resampler: [n, channels]."""
    field = layout_named(HT40).field("htltf")
    pairs = field.first_pair + np.array([field.order.index(carrier) for carrier in CARRIERS])
    a = amplitude_np(iq[:, 2 * pairs + 1].astype(np.float32), iq[:, 2 * pairs].astype(np.float32))
    return by_frame_mean_np(a) if units == "frame_mean" else a


def on_board(bundle, t_us, iq, directory, target="gcc-O0"):
    """The decisions that the board sends, and the frames."""
    found = find_target(target)
    if found.missing() is not None:
        pytest.skip(f"tools for {target} are missing: {found.missing()}")
    export = emitted(bundle, directory / "model")
    records = b"".join(
        int(t % 2**32).to_bytes(4, "little") + row.astype(np.int8).tobytes() for t, row in zip(t_us, iq, strict=True)
    )
    run = run_program(
        found,
        HOST_TESTS / "infer_main.c",
        [INFER / "eh_infer.c", *CORE, *export.sources],
        input_bytes=records,
        include_dirs=[COMMON, INFER, export.directory],
    )
    assert run.returncode == 0, run.stderr
    decoder = FrameDecoder()
    runs = decoder.push(run.output) + decoder.finish()
    assert numbers(runs) == list(range(len(iq)))
    return list(decoder.decisions), runs


def expected(bundle, x):
    """Logits of every window of a uniform stream x [n, channels]."""
    runtime = make_runtime("reference", bundle)
    return np.array([runtime.window(x[at : at + WINDOW]) for at in range(0, len(x) - WINDOW + 1, HOP)])


@pytest.mark.parametrize("units", ["frame_mean", "1"])
def test_decisions_from_bursty_frames_are_the_host_s(units, tmp_path):
    bundle = csi_bundle(units)
    rng = np.random.default_rng(1)
    t_us = 2**32 - 500_000 + np.cumsum(rng.integers(2_000, 14_000, 150))  # the counter ends under way
    iq = csi_frames(150).iq
    decisions, runs = on_board(bundle, t_us, iq, tmp_path)
    _, x, real = resample_np(t_us * 1000, samples(iq, units), RATE_HZ)
    assert real.all()
    logits = np.array([decision.logits for decision in decisions])
    wanted = expected(bundle, x)
    assert len(wanted) > 10
    np.testing.assert_allclose(logits, wanted, atol=1e-5 * max(1, np.abs(wanted).max()))
    assert [decision.label for decision in decisions] == wanted.argmax(axis=1).tolist()
    assert {decision.model for decision in decisions} == {0x0D0C0B0A}
    times = runs[0].meta["t_us"]
    assert all(times[decision.rx_seq] == decision.t_us for decision in decisions)


def test_a_long_gap_begins_a_new_window(tmp_path):
    t_us = np.concatenate([np.arange(40), 200 + np.arange(40)]) * 10_000
    decisions, _ = on_board(csi_bundle(), t_us, csi_frames(80).iq, tmp_path)
    assert [decision.rx_seq for decision in decisions] == [31, 39, 71, 79]


def test_a_silence_of_half_the_counters_range_is_a_long_gap_too(tmp_path):
    t_us = np.concatenate([np.arange(40), 40 * 60 * 100 + np.arange(40)]) * 10_000  # 40 minutes
    decisions, _ = on_board(csi_bundle(), t_us, csi_frames(80).iq, tmp_path)
    assert [decision.rx_seq for decision in decisions] == [31, 39, 71, 79]


def test_a_frame_that_was_overtaken_changes_nothing(tmp_path):
    t_us, iq = np.arange(80) * 10_000, csi_frames(80).iq
    decisions, _ = on_board(csi_bundle(), t_us, iq, tmp_path)
    late_us, late = np.insert(t_us, 50, t_us[47]), np.insert(iq, 50, iq[0], axis=0)
    (tmp_path / "late").mkdir()
    again, _ = on_board(csi_bundle(), late_us, late, tmp_path / "late")
    assert [(one.t_us, one.logits.tolist()) for one in again] == [(one.t_us, one.logits.tolist()) for one in decisions]


def test_lost_frames_lower_the_coverage_until_there_is_no_decision(tmp_path):
    t_us = np.concatenate([np.arange(8), 22 + np.arange(10)]) * 10_000  # 14 of 32 are lost
    decisions, _ = on_board(csi_bundle(), t_us, csi_frames(18).iq, tmp_path)
    assert [(decision.label, decision.certainty) for decision in decisions] == [(None, 2)]


@pytest.mark.parametrize(
    "target", ["cortex-m4f", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rv32imc", "sanitized"))]
)
def test_the_board_s_processor_decides_the_same(target, tmp_path):
    t_us, iq = np.arange(60) * 10_000, csi_frames(60).iq
    here, _ = on_board(csi_bundle(), t_us, iq, tmp_path, "gcc-O3")
    (tmp_path / "there").mkdir()
    there, _ = on_board(csi_bundle(), t_us, iq, tmp_path / "there", target)
    assert [decision.label for decision in there] == [decision.label for decision in here]
    for mine, theirs in zip(there, here, strict=True):
        np.testing.assert_allclose(mine.logits, theirs.logits, atol=1e-5)


def test_a_model_that_takes_something_else_is_refused():
    strange = replace(csi_bundle().manifest.contract, channels=("sc-58.amp", *(f"sc+{i}.re" for i in range(2, 7))))
    other = replace(csi_bundle(), manifest=replace(csi_bundle().manifest, contract=strange))
    for bundle, field in ((other, "htltf"), (csi_bundle(), "lltf"), (random_bundle("fastgrnn"), "htltf")):
        with pytest.raises(ContractError) as refused:
            csi_input_header(bundle, SHA256, HT40, field)
        assert refused.value.hint
