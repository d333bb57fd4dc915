"""The frame: which targets run, how results are judged, what exit code and report follow; no compiler, no exporter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgehar import verify as package
from edgehar.bundle import Bundle, save_bundle
from edgehar.cli.app import main
from edgehar.errors import InputError, UsageError
from edgehar.runtimes.digests import with_digests
from edgehar.runtimes.lowered import int_graph_of
from edgehar.verify.choose import choose_targets
from edgehar.verify.litert import LitertTarget
from edgehar.verify.report import report_json, report_lines
from edgehar.verify.run import Status, verify
from edgehar.verify.target import Footprint, Subject, Trace, UnsupportedError
from tests.factories import random_bundle
from tests.quantised import quantised


class Pretender:
    """Computes what the reference computes, then spoils it as the test asks."""

    own_arithmetic = True
    spoil = staticmethod(lambda logits: logits)
    absent: str | None = None
    unsupported = False

    def __init__(self, name: str, subject: Subject) -> None:
        if self.unsupported:
            raise UnsupportedError("nobody has written it", reason="value")
        self.subject = subject

    def missing(self) -> str | None:
        return self.absent

    def logits(self, x: np.ndarray) -> np.ndarray:
        from edgehar.runtimes import make_runtime

        window = make_runtime("reference", self.subject.bundle).window
        return type(self).spoil(np.stack([window(w) for w in x]))

    def streamed(self, x: np.ndarray) -> None:
        return None

    def trace(self, x: np.ndarray) -> Trace:
        return {n: v + (n == "h_next") * np.eye(*v.shape, -3) for n, v in self.subject.expected_trace(x).items()}

    def faults(self) -> list[str]:
        return []

    def logit_step(self) -> float | None:
        return self.subject.logit_step

    def footprint(self) -> Footprint:
        return Footprint(text_bytes=100, instructions_per_step=12.0)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch):
    def register(name: str = "pretender", **changes: object) -> str:
        monkeypatch.setattr(f"{__name__}.Pretender_{name}", type("P", (Pretender,), changes), raising=False)
        monkeypatch.setitem(package.TARGETS, name, f"{__name__}:Pretender_{name}")
        return name

    return register


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return with_digests(random_bundle("fastgrnn", window=16, hop=8, golden_windows=200))


def test_our_runtimes_pass(bundle: Bundle) -> None:
    report = verify(bundle, "b.edgehar", ["reference", "numba"])
    assert [r.status for r in report.results] == [Status.PASS, Status.PASS], report_lines(report)
    assert report.exit_code() == 0
    assert report.windows == 200
    assert report.stamps == ()
    assert all(r.verdict.max_error <= 1e-4 for r in report.results)


def test_a_difference_is_located(bundle: Bundle, pretend) -> None:
    name = pretend(spoil=staticmethod(lambda logits: logits + (np.arange(len(logits)) == 150)[:, None] * 0.1))
    report = verify(bundle, "b.edgehar", [name])
    (result,) = report.results
    assert result.status is Status.FAIL
    assert report.exit_code() == 1
    assert result.verdict.window == 150
    assert "window 150: logit" in result.detail[0]
    # The eye puts a one at (3, 0): the first divergence is there, made by the gates.
    assert "tensor 'h_next' step 3 element 0" in result.detail[1]
    assert "GatedUpdate from b_z, b_h, zeta, nu" in result.detail[1]


def test_the_tolerance_is_the_contracts(bundle: Bundle, pretend) -> None:
    scale = np.maximum(1, np.abs(bundle.golden["logits"]))
    for error, status in ((0.9e-4, Status.PASS), (1.2e-4, Status.FAIL)):
        name = pretend(spoil=staticmethod(lambda logits, e=error: (logits + e * scale).astype(np.float32)))
        assert verify(bundle, "b", [name]).results[0].status is status


def test_errors_of_a_quantised_model_are_in_logits_and_in_the_targets_own_steps(bundle: Bundle, pretend) -> None:
    small = with_digests(quantised(bundle, "int8"))
    graph = int_graph_of(small)
    own = graph.quants[graph.output].scale
    wrong = staticmethod(lambda logits: logits + np.float32(0.25) * (np.arange(len(logits)) == 7)[:, None])
    ours = pretend("ours", spoil=wrong)
    coarse = pretend("coarse", spoil=wrong, own_arithmetic=False, logit_step=lambda _: 0.125)
    real = pretend("real", spoil=wrong, own_arithmetic=False, logit_step=lambda _: None)
    report = verify(small, "b.edgehar", ["reference", ours, coarse, real])
    told = report_json(report)["targets"]
    assert [t["status"] for t in told] == ["PASS", "FAIL", "PASS", "PASS"]
    assert [t["max_err"] for t in told] == [0, *[pytest.approx(0.25, rel=1e-4)] * 3]
    assert {t["max_err_unit"] for t in told} == {"logits"}
    assert [t["max_err_lsb"] for t in told] == [
        0,
        pytest.approx(0.25 / own, rel=1e-3),
        pytest.approx(2, rel=1e-3),
        None,
    ]
    lines = report_lines(report)
    assert "2.5e-01 (2 LSB)" in next(line for line in lines if line.startswith("coarse"))
    assert "LSB" not in next(line for line in lines if line.startswith("real"))
    assert "in logits" in lines[-1]


@pytest.mark.parametrize("family", ["fastgrnn", "l2mu"])
def test_litert_names_the_unit_of_its_logits(family: str) -> None:
    pytest.importorskip("flatbuffers")
    small = quantised(random_bundle(family, window=16, hop=8, golden_windows=4), "int8")
    target = LitertTarget("litert", Subject(small))
    unit = target.logit_step()
    graph = int_graph_of(small)
    if family == "l2mu":  # counts spikes in the unit of the graph
        assert unit == pytest.approx(graph.quants[graph.output].scale, rel=1e-6)
    else:  # as fine as int16 allows: every golden logit fits
        assert np.abs(small.golden["logits"]).max() / 32768 < unit < 0.01
    assert LitertTarget("litert", Subject(random_bundle(family, window=16, hop=8))).logit_step() is None


def test_nan_fails(bundle: Bundle, pretend) -> None:
    name = pretend(spoil=staticmethod(lambda logits: logits * np.float32("nan")))
    assert verify(bundle, "b", [name]).results[0].status is Status.FAIL


def test_skips_are_named_and_have_their_code(bundle: Bundle, pretend) -> None:
    absent, unsupported = pretend("absent", absent="apt-get install thing"), pretend("never", unsupported=True)
    report = verify(bundle, "b", ["reference", absent, unsupported])
    assert [r.status.value for r in report.results] == ["PASS", "SKIPPED", "UNSUPPORTED"]
    assert report.results[1].detail == ("apt-get install thing",)
    assert report.exit_code() == 4
    assert report.exit_code(["absent"]) == 0
    failing = pretend("failing", spoil=staticmethod(lambda logits: -logits))
    assert verify(bundle, "b", [absent, failing]).exit_code(["absent"]) == 1


def test_few_windows_are_refused_or_stamped(bundle: Bundle) -> None:
    few = replace(
        bundle, golden={**bundle.golden, "x": bundle.golden["x"][:50], "logits": bundle.golden["logits"][:50]}
    )
    with pytest.raises(InputError, match="holds 50 golden windows, 200 are asked for") as caught:
        verify(few, "few.edgehar", ["reference"])
    assert "--windows 50" in caught.value.hint
    report = verify(few, "few.edgehar", ["reference"], windows=50)
    assert report.stamps == ("ONLY-50-WINDOWS",)
    assert report_json(report)["stamps"] == ["ONLY-50-WINDOWS"]
    assert "ONLY-50-WINDOWS" in report_lines(report)[0]
    with pytest.raises(InputError):
        verify(few, "few.edgehar", ["reference"], windows=51)


def test_a_changed_weight_is_named(bundle: Bundle) -> None:
    u = bundle.weights["U"].copy()
    u[3, 5] += 0.5
    changed = replace(bundle, weights={**bundle.weights, "U": u})
    (result,) = verify(changed, "b", ["reference"]).results
    assert result.status is Status.FAIL
    assert "the tensor 'U' is not what the bundle was made with" in result.detail


def test_targets_are_chosen_by_name_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGEHAR_ARM64_ROOT", raising=False)
    everything = choose_targets("")
    assert {"reference", "numba", "litert", "onnxruntime", "c:gcc-O0", "c:cortex-m55", "c:armhf"} <= set(everything)
    assert not [name for name in everything if name.startswith("cortex-")]
    assert choose_targets("numba, c:") == ["numba", *(name for name in everything if name.startswith("c:"))]
    monkeypatch.setenv("EDGEHAR_ARM64_ROOT", "somewhere")
    assert "cortex-a53:onnxruntime" in choose_targets("")
    with pytest.raises(UsageError, match="no target is called 'nunba'") as caught:
        choose_targets("nunba")
    assert caught.value.hint == "did you mean 'numba'?"


def test_the_command(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.edgehar"
    save_bundle(bundle, path)
    assert main(["verify", str(path), "--targets", "reference,numba", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [t["target"] for t in told["targets"]] == ["reference", "numba"]
    assert {"status", "windows", "max_err", "instructions_per_step", "stack_bytes", "text_bytes"} <= told["targets"][
        0
    ].keys()
    assert main(["verify", str(path), "--targets", "reference"]) == 0
    assert "PASS" in capsys.readouterr().out
    assert main(["verify", str(path), "--targets", "refrence"]) == 2


def test_the_command_refuses_names_that_do_not_exist(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], pretend
) -> None:
    path = tmp_path / "b.edgehar"
    save_bundle(bundle, path)
    start = ["verify", str(path), "--targets"]
    assert main([*start, "reference", "--allow-skip", "c:gcc-03"]) == 2
    assert "did you mean 'c:gcc-O3'?" in capsys.readouterr().err
    assert main([*start, "litert", "--export", str(tmp_path / "nowhere")]) == 3
    assert "nowhere: no such directory" in capsys.readouterr().err
    absent, gone = (
        pretend("odd:absent", absent="apt-get install thing"),
        pretend("odd:gone", absent="apt-get install x"),
    )
    assert main([*start, f"{absent},{gone}", "--allow-skip", absent]) == 4
    assert main([*start, f"{absent},{gone}", "--allow-skip", absent, "--allow-skip", gone]) == 0
    assert main([*start, f"{absent},{gone}", "--allow-skip", "odd:"]) == 0


@pytest.mark.parametrize("name", ["W", "fc_b"])
def test_a_flipped_bit_in_the_file_is_named(
    bundle: Bundle, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.edgehar"
    save_bundle(bundle, path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(bundle.weights[name].tobytes()) + 2] ^= 1
    # A zip's own checksum would stop it earlier; whoever damages a file can mend that.
    import zipfile
    import zlib

    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("weights.safetensors")
        start = path.read_bytes().index(archive.read("weights.safetensors"))
    crc = zlib.crc32(raw[start : start + entry.file_size]).to_bytes(4, "little")
    path.write_bytes(bytes(raw).replace(entry.CRC.to_bytes(4, "little"), crc))
    assert main(["verify", str(path), "--targets", "reference"]) == 5
    error = capsys.readouterr().err
    assert "weights.safetensors" in error
    assert f"differ from what the bundle was made with: '{name}'" in error
