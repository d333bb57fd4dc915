"""The C module as a program: samples from a CSV in, decisions out, against the pipeline."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgehar.bundle import Bundle
from edgehar.export.c.emit import CExport, emit_c
from edgehar.manifest import Decision
from edgehar.pipeline import Pipeline
from edgehar.types import Chunk, Status, StreamSpec
from tests.cbuild import compile_c
from tests.factories import AXES, random_bundle
from tests.quantised import quantised

DECISION = Decision(temperature=1.7, abstain_below=0.5, smooth=3, min_coverage=0.75)
PREPROCESS = (
    {"op": "scale", "factors": [1.0, 1.0, 2.0, 0.5, 1.0, 1.0]},
    {
        "op": "concat",
        "parts": [
            [{"op": "select", "channels": ["acc_z", "acc_x"]}, {"op": "compand", "gain": [3.0, 0.0]}],
            [{"op": "select", "channels": ["gyro_x", "gyro_y"]}, {"op": "rectify"}],
            [{"op": "magnitude", "groups": [["acc_x", "acc_y", "acc_z"]]}],
        ],
    },
    {"op": "normalize", "mean": [0.1, 0.2, 0.5, 0.5, 1.5], "std": [0.9, 1.1, 0.7, 0.8, 0.6]},
)
CASES = {
    "fastgrnn": {"hidden": 16, "window": 32, "hop": 12},
    "gru": {"hidden": 9, "window": 16, "hop": 24},
    "l2mu": {"hidden": 20, "window": 32, "hop": 16},
    "cnn": {"hidden": 12, "window": 33, "hop": 6},
    "dscnn": {"hidden": 10, "window": 40, "hop": 8},
}
EXAMPLE = Path(__file__).parents[3] / "examples" / "c" / "decide.c"
STATUS = {"sure": Status.OK, "unsure": Status.UNSURE, "no data": Status.NO_DATA}


def bundle_of(family: str, scheme: str) -> Bundle:
    bundle = random_bundle(family, inputs=5, preprocess=PREPROCESS, decision=DECISION, **CASES[family])
    return bundle if scheme == "float32" else quantised(bundle, scheme)


def run_example(export: CExport, x: np.ndarray) -> list[tuple[int, str, float, Status]]:
    """(number of samples, label, p, status) of every decision of the example program on samples x."""
    program = compile_c(export, export.directory / "main.c")
    lines = ["t,a CSV head, which is skipped"]
    lines += [",".join("" if np.isnan(v) else f"{v:.9g}" for v in row) for row in x]
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, check=True)
    rows = [line.split(",") for line in done.stdout.splitlines()]
    return [(int(n), label, float(p), STATUS[status]) for n, label, p, status in rows]


def signal(n: int, seed: int = 0) -> np.ndarray:
    """Slowly wandering values, so that neighbouring windows are alike and decisions are held."""
    rng = np.random.default_rng(seed)
    return (np.cumsum(rng.standard_normal((n, 6)), axis=0) * 0.2 + rng.standard_normal((n, 6))).astype(np.float32)


def chunk_of(bundle: Bundle, x: np.ndarray) -> Chunk:
    contract = bundle.manifest.contract
    spec = StreamSpec(contract.kind, contract.channels, contract.rate_hz, contract.units)
    t = np.arange(len(x), dtype=np.int64) * 20_000_000
    return Chunk(spec, t, t, np.arange(len(x), dtype=np.int64), x, np.zeros(len(x), np.uint16))


@pytest.mark.parametrize("family", CASES)
@pytest.mark.parametrize("scheme", ["float32", "int8x16"])
def test_decisions_are_those_of_the_pipeline(family: str, scheme: str, tmp_path: Path) -> None:
    bundle, x = bundle_of(family, scheme), signal(300)
    assert bundle.manifest.contract.channels == AXES

    found = run_example(emit_c(bundle, tmp_path / "module"), x)

    pipeline = Pipeline(bundle, "reference")
    wanted = pipeline.push(chunk_of(bundle, x)) + pipeline.flush()
    window, hop = CASES[family]["window"], CASES[family]["hop"]
    assert [n for n, *_ in found] == list(range(window, 301, hop))
    assert len(found) == len(wanted)
    for (_, label, p, status), activity in zip(found, wanted, strict=True):
        assert p == pytest.approx(activity.p, abs=2e-3)
        if abs(activity.p - DECISION.abstain_below) > 2e-3:
            assert status == activity.status
        assert label == activity.label


def test_missing_samples_count_against_coverage(tmp_path: Path) -> None:
    bundle, x = bundle_of("fastgrnn", "int8x16"), signal(80)
    export = emit_c(bundle, tmp_path / "module")
    whole = run_example(export, x)
    x[40:48, 2] = np.nan  # 8 of 32 samples: just enough real ones are left
    held = run_example(export, x)
    x[48] = np.nan
    missing = run_example(export, x)

    assert [n for n, *_ in whole] == [32, 44, 56, 68, 80]
    assert [s for *_, s in held].count(Status.NO_DATA) == 0
    assert held[0] == whole[0]
    assert [n for n, *_, s in missing if s is Status.NO_DATA] == [56, 68]
    assert all(label == "" for _, label, _, s in missing if s is Status.NO_DATA)


def test_filters_with_memory_follow_the_pipeline(tmp_path: Path) -> None:
    sos = [[0.0675, 0.1349, 0.0675, 1.0, -1.143, 0.4128]]
    ops = ({"op": "median3"}, {"op": "sos", "sos": sos}, {"op": "minus_lowpass", "sos": sos})
    bundle = random_bundle("gru", window=16, hop=16, preprocess=ops, delay_samples=1, decision=DECISION)
    x = signal(161)

    found = run_example(emit_c(bundle, tmp_path / "module"), x)

    wanted = Pipeline(bundle, "reference").push(chunk_of(bundle, x))
    assert [n for n, *_ in found] == list(range(17, 162, 16))
    assert [label for _, label, *_ in found] == [a.label for a in wanted]
    np.testing.assert_allclose([p for _, _, p, _ in found], [a.p for a in wanted], atol=1e-3)


def test_the_example_decides_on_a_recording(tmp_path: Path) -> None:
    bundle, x = bundle_of("dscnn", "int8x16"), signal(200)
    export = emit_c(bundle, tmp_path / "module")
    wanted = run_example(export, x)
    rows = [f"{20_000_000 * i}," + ",".join(f"{v:.9g}" for v in row) for i, row in enumerate(x)]
    csv = tmp_path / "samples.csv"
    csv.write_text("\n".join(["t_ns," + ",".join(AXES), *rows]) + "\n")

    done = subprocess.run([compile_c(export, EXAMPLE), csv], capture_output=True, text=True, check=True)

    found = [line.split("  ") for line in done.stdout.splitlines()]
    assert [line[:2] for line in found] == [[f"{(n - 1) * 0.02:.3f} s", label] for n, label, *_ in wanted]
    for line, (_, _, p, _) in zip(found, wanted, strict=True):
        assert float(line[2]) == pytest.approx(p, abs=0.0051)


@pytest.mark.filterwarnings("ignore:overflow")
def test_values_that_no_sensor_gives_decide_nothing(tmp_path: Path) -> None:
    bundle, x = bundle_of("cnn", "float32"), signal(99)
    x[45] = 3e38

    found = run_example(emit_c(bundle, tmp_path / "module"), x)

    wanted = Pipeline(bundle, "reference").push(chunk_of(bundle, x))
    assert [s is Status.NO_DATA for *_, s in found] == [a.status is Status.OUT_OF_CONTRACT for a in wanted]
    assert [label for _, label, *_ in found] == [a.label for a in wanted]
    assert 0 < sum(label == "" for _, label, *_ in found) < len(found)
