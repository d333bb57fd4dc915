"""`edgehar run` with two sensors: named sources, a recording of both replayed to the same decisions, plain refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from factories import AXES, random_bundle

from edgehar.bundle import save_bundle
from edgehar.cli.app import main
from edgehar.recording import Recording, RecordingWriter
from edgehar.types import Chunk, StreamSpec

WRIST, LEG = "wrist=virtual:imu?seed=1&duration_s=20", "leg=virtual:imu?seed=2&duration_s=10&jitter_ms=6.5"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Random weights: what is decided means nothing, on what it rests does."""
    random = random_bundle("fusion", window=50, hop=24, channels=12)
    contract = random.manifest.contract
    contract = replace(
        contract,
        channels=tuple(f"{sensor.name}.{axis}" for sensor in contract.sensors for axis in AXES),
        units=(("g",) * 3 + ("radps",) * 3) * 2,
    )
    path = tmp_path_factory.mktemp("bundle") / "two.edgehar"
    save_bundle(replace(random, manifest=replace(random.manifest, contract=contract)), path)
    return path


def run(capsys, *arguments):
    code = main(["run", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def decided(out):
    *lines, last = [json.loads(line) for line in out.splitlines()]
    return lines, last["summary"]


def test_two_sensors_decide_together_and_one_goes_on_alone(bundle, capsys):
    code, out, err = run(capsys, bundle, "--source", WRIST, "--source", LEG, "--speed", 0, "--json")
    assert code == 0, err
    lines, summary = decided(out)
    assert [line["meta"]["sensors"] for line in lines[:15]] == [["wrist", "leg"]] * 15
    assert [line["meta"]["sensors"] for line in lines[-15:]] == [["wrist"]] * 15
    assert all(line["simulated"] for line in lines)
    assert summary["sensors"]["bound_ms"] is None
    assert summary["sensors"]["devices"]["leg"]["delay_p99_ms"] > 20


def test_a_recording_of_both_is_replayed_to_the_same_decisions(bundle, tmp_path, capsys):
    """The streams are kept apart, the least delays with them, and the clocks are fitted again."""
    kept = tmp_path / "both.mcap"
    bases = ["--base", "wrist=0ms", "--base", "leg=0..5ms"]
    _, out, _ = run(
        capsys, bundle, "--source", WRIST, "--source", LEG, *bases, "--speed", 0, "--json", "--record", kept
    )
    recording = Recording.open(kept)
    assert list(recording.specs) == ["wrist", "leg"]
    assert {label.stream for label in recording.labels} == {"wrist", "leg"}
    _, again, err = run(capsys, bundle, "--source", f"replay:{kept}", "--speed", 0, "--json")
    assert err == ""

    def facts(out):
        return [{key: value for key, value in line.items() if key != "meta"} for line in decided(out)[0]]

    assert facts(again) == facts(out)
    assert decided(again)[1]["sensors"] == decided(out)[1]["sensors"]
    assert decided(again)[1]["sensors"]["bound_ms"] == 2.5


def test_the_summary_says_how_the_clocks_run_and_what_is_not_known(bundle, capsys):
    _, out, err = run(capsys, bundle, "--source", WRIST, "--source", LEG, "--speed", 0)
    assert "wrist+leg  SIMULATED" in out
    assert "leg: clock " in err
    assert "least delay unknown" in err
    assert "rows were complete" in err
    assert "give --base" in err


def knocked(name, least_delay_ms):
    """Twenty still seconds with three taps at five, sent by a link with a least delay of its own."""
    rng = np.random.default_rng(len(name))
    t_s = np.arange(1000) / 50 + 0.003 * len(name)
    x = 0.01 * rng.standard_normal((1000, 6))
    x[:, 2] += 1 + 5 * sum(np.exp(-(((t_s - at) / 0.015) ** 2)) for at in (5.0, 5.413, 5.927))
    true_ns = np.rint(t_s * 1e9).astype(np.int64)
    host = np.maximum.accumulate(true_ns + ((least_delay_ms + rng.exponential(4, 1000)) * 1e6).astype(np.int64))
    spec = StreamSpec("imu", AXES, 50.0, ("g",) * 3 + ("radps",) * 3)
    return Chunk(spec, true_ns, host, np.arange(1000), x.astype(np.float32), np.zeros(1000, np.uint16))


def test_taps_put_two_sensors_of_unknown_links_on_one_line(bundle, tmp_path, capsys):
    both = {"wrist": knocked("wrist", 10), "leg": knocked("leg", 70)}
    with RecordingWriter(tmp_path / "knocked.mcap", {name: chunk.spec for name, chunk in both.items()}) as writer:
        for name, chunk in both.items():
            writer.write(chunk, name)
    _, out, err = run(
        capsys, bundle, "--source", f"replay:{tmp_path / 'knocked.mcap'}", "--align", "tap", "--speed", 0, "--json"
    )
    assert err == ""
    lines, summary = decided(out)
    tap = summary["sensors"]["devices"]["leg"]["tap"]
    assert tap["taps"] == 3
    assert tap["lag_ms"] == pytest.approx(60, abs=tap["within_ms"])
    assert summary["sensors"]["bound_ms"] == tap["within_ms"]
    assert len(lines) > 35  # what was held back while the tap was looked for is decided, too


def test_a_settings_file_names_the_sensors(bundle, tmp_path, capsys):
    settings = tmp_path / "edgehar.toml"
    lines = [f"bundle = {str(bundle)!r}", f"sources = ['{WRIST}', '{LEG}']", "base = ['wrist=0ms', 'leg=1..3ms']"]
    settings.write_text("\n".join(["[run]", *lines, "speed = 0", ""]))
    code, out, err = run(capsys, "--config", settings, "--json")
    assert code == 0, err
    assert decided(out)[1]["sensors"]["bound_ms"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (
            ["--source", WRIST, "--source", LEG.replace("leg", "foot")],
            2,
            "wants the sensors wrist, leg: not wrist, foot",
        ),
        (["--source", WRIST, "--source", WRIST], 2, "two sources are called 'wrist'"),
        (["--source", "virtual:imu"], 6, "wrist.acc_x"),
        (["--source", WRIST, "--source", LEG, "--base", "wrist=12"], 2, "least delay 'wrist=12'"),
        (["--source", WRIST, "--source", LEG, "--base", "foot=12ms"], 2, "'foot', which is no sensor"),
        (["--source", WRIST, "--source", LEG, "--align", "clap"], 2, "--align clap"),
        (["--source", WRIST, "--source", LEG, "--wait", "soon"], 2, "duration 'soon'"),
        (["--source", WRIST, "--source", LEG, "--align", "tap", "--speed", "0"], 5, "no tap"),
        (["--source", f"{WRIST}&rate_hz=80", "--source", LEG, "--speed", "0"], 6, "rate_hz=80"),
    ],
)
def test_refusals_say_what_to_type(bundle, capsys, arguments, code, says):
    found, _, err = run(capsys, bundle, *arguments)
    assert (found, says in err) == (code, True), err


def test_what_is_for_several_sensors_is_refused_for_one(tmp_path, capsys):
    one = tmp_path / "one.edgehar"
    save_bundle(random_bundle("gru", window=50, hop=25), one)
    for words, says in (
        (["--source", "virtual:imu", "--base", "wrist=1ms"], "--base is for a bundle with several"),
        (["--source", WRIST, "--source", LEG], "2 sources, but"),
    ):
        code, _, err = run(capsys, one, *words)
        assert (code, says in err) == (2, True), err
