"""`edgehar run` and `edgehar record`, from the command line to files and exit codes."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cbuild import need
from commands import PATIENCE_S, edgehar
from factories import random_bundle

from edgehar.bundle import save_bundle
from edgehar.cli.app import main
from edgehar.demo import BUNDLE as DEMO
from edgehar.recording import Recording

VIRTUAL = "virtual:imu?seed=3&duration_s=20"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.edgehar"
    save_bundle(random_bundle("fastgrnn", window=50, hop=25), path)
    return path


def run(capsys, *arguments):
    code = main(["run", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_json_prints_one_line_a_decision_and_a_summary_last(bundle, capsys):
    code, out, err = run(capsys, bundle, "--source", f"{VIRTUAL}&loss=0.1", "--speed", 0, "--json")
    *decisions, last = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    summary = last["summary"]
    assert summary["decisions"] == len(decisions) > 25
    assert all(d["simulated"] for d in decisions)
    assert summary["simulated"]
    assert 980 <= summary["samples"] + summary["lost"] <= 1000  # nobody can count what is lost at the very end
    assert 0 < summary["latency_p50_ms"] <= summary["latency_p99_ms"]
    assert 0.8 < summary["coverage"] < 1
    assert sum(summary["statuses"].values()) == len(decisions)


def test_console_writes_plain_lines_into_a_pipe_and_the_summary_to_stderr(bundle, capsys):
    code, out, err = run(capsys, bundle, "--source", VIRTUAL, "--speed", 0)
    header, *lines = out.splitlines()
    assert code == 0
    assert "activity" in header
    assert len(lines) == 39
    assert all(line.endswith("SIMULATED") for line in lines)
    assert "39 decisions (OK 39)" in err
    assert "SIMULATED" in err
    assert "latency p50" in err


def test_a_settings_file_says_what_the_command_line_does_not(bundle, tmp_path, capsys):
    settings = tmp_path / "edgehar.toml"
    settings.write_text(f"[run]\nbundle = {str(bundle)!r}\nsource = {VIRTUAL!r}\nspeed = 0\nruntime = 'reference'\n")
    code, out, _ = run(capsys, "--config", settings, "--json")
    summary = json.loads(out.splitlines()[-1])["summary"]
    assert code == 0
    assert summary["decisions"] == 39
    assert summary["runtime"] == "reference"
    code, out, _ = run(capsys, "--config", settings, "--json", "--runtime", "numba")
    assert json.loads(out.splitlines()[-1])["summary"]["runtime"] == "numba"


def test_stamps_of_the_bundle_are_printed(tmp_path, capsys):
    stamped = random_bundle("gru", window=50, hop=25)
    save_bundle(replace(stamped, manifest=replace(stamped.manifest, stamps=("LEAKY",))), tmp_path / "l.edgehar")
    _, out, _ = run(capsys, tmp_path / "l.edgehar", "--source", VIRTUAL, "--speed", 0, "--json")
    assert json.loads(out.splitlines()[-1])["summary"]["stamps"] == ["LEAKY"]
    _, _, err = run(capsys, tmp_path / "l.edgehar", "--source", VIRTUAL, "--speed", 0)
    assert "LEAKY" in err


def test_both_runtimes_decide_the_same(bundle, capsys):
    labels = []
    for runtime in ("numba", "reference"):
        _, out, _ = run(capsys, bundle, "--source", VIRTUAL, "--speed", 0, "--json", "--runtime", runtime)
        labels.append([json.loads(line)["label"] for line in out.splitlines()[:-1]])
    assert labels[0] == labels[1]


def test_several_sinks_and_a_recording_at_once(bundle, tmp_path, capsys):
    lines, copy = tmp_path / "out.jsonl", tmp_path / "copy.mcap"
    code, out, err = run(
        capsys, bundle, "--source", VIRTUAL, "--speed", 0, "--sink", "console", "--sink", f"jsonl:{lines}",
        "--record", copy, "--duration", 10,
    )  # fmt: skip
    assert code == 0
    assert len(lines.read_text().splitlines()) == len(out.splitlines()) - 1 == 19
    recording = Recording.open(copy)
    assert len(recording.read()) == 500
    assert recording.specs["main"].simulated
    assert recording.labels
    assert str(copy) in err


def test_csv_on_stdin_is_read_as_the_contract_says(bundle, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{i * 20_000_000}," + ",".join(f"{v:.5f}" for v in rng.standard_normal(6)) for i in range(200)]
    text = "t_ns,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n" + "\n".join(rows) + "\n"
    done = edgehar("run", bundle, "--source", "stdin:csv", "--json", given=text.encode())
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8
    assert json.loads(done.stdout.splitlines()[0])["simulated"] is False

    rows[150] = rows[150].replace(",", ",x", 1)
    broken = "t_ns,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z\n" + "\n".join(rows) + "\n"
    kept = tmp_path / "kept.mcap"
    done = edgehar("run", bundle, "--source", "stdin:csv", "--json", "--record", kept, given=broken.encode())
    assert done.returncode == 5
    assert "line 152" in done.stderr
    assert "acc_x" in done.stderr
    assert len(done.stdout.splitlines()) == 5  # the decisions before the bad row stand
    recording = Recording.open(kept)
    assert (len(recording.read()), recording.truncated) == (150, False)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere.edgehar", "--source", "virtual:imu"], 3, "nowhere.edgehar"),
        (["BUNDLE", "--source", "replay:nowhere.mcap"], 3, "nowhere.mcap"),
        (["BUNDLE", "--source", "imu:/dev/no-such-port"], 3, "no such port"),
        (["BUNDLE", "--source", "csi:/dev/no-such-port"], 3, "no such port"),
        (["BUNDLE", "--source", "virtual:imu", "--sink", "mqtt:x"], 3, "not built yet"),
        (["BUNDLE", "--source", "virtual:imu", "--runtime", "nmba"], 2, "nmba"),
        (["BUNDLE", "--source", "virtual:imu?los=1"], 2, "los"),
        (["BUNDLE", "--source", "virtual:imu?rate_hz=25"], 6, "rate_hz"),
        (["BUNDLE", "--source", "stdin:csv", "--speed", "2"], 2, "speed"),
        (["BUNDLE", "--source", "virtual:imu", "--source", "virtual:imu"], 2, "2 sources"),
        (["BUNDLE", "--source", "virtual:imu", "--sink", "console", "--json"], 2, "stdout"),
        (["BUNDLE", "--source", "virtual:imu", "--sink", "jsonl:no/such/dir/x"], 3, "no/such/dir/x"),
        (["BUNDLE"], 2, "source"),
    ],
)
def test_errors_have_a_message_a_hint_and_an_exit_code(bundle, capsys, arguments, code, says):
    found, out, err = run(capsys, *[bundle if word == "BUNDLE" else word for word in arguments])
    assert found == code
    assert says in err
    assert out == ""


def test_a_refused_stream_leaves_no_recording(bundle, tmp_path, capsys):
    copy = tmp_path / "copy.mcap"
    assert run(capsys, bundle, "--source", "virtual:imu?rate_hz=25", "--record", copy)[0] == 6
    assert not copy.exists()


def test_an_existing_recording_is_not_overwritten(bundle, tmp_path, capsys):
    copy = tmp_path / "copy.mcap"
    copy.write_bytes(b"mine")
    assert run(capsys, bundle, "--source", VIRTUAL, "--speed", 0, "--record", copy)[0] == 2
    assert copy.read_bytes() == b"mine"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_a_run_in_good_order(bundle, tmp_path, number, code):
    copy = tmp_path / "copy.mcap"
    process = subprocess.Popen(
        [sys.executable, "-m", "edgehar", "run", bundle, "--source", "virtual:imu", "--record", copy, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [process.stdout.readline(), process.stdout.readline()]  # it is running: two decisions have come
    os.kill(process.pid, number)
    rest, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    summary = json.loads(rest.splitlines()[-1])["summary"]
    assert summary["interrupted"] is (number == signal.SIGINT)
    assert summary["decisions"] == len(lines) + len(rest.splitlines()) - 1
    recording = Recording.open(copy)
    assert (len(recording.read()), recording.truncated) == (summary["samples"], False)


def test_a_reader_that_goes_away_ends_the_run_quietly(bundle):
    process = subprocess.Popen(
        [sys.executable, "-m", "edgehar", "run", bundle, "--source", "virtual:imu", "--speed", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=PATIENCE_S) == 0
    assert b"Traceback" not in err


def test_record_keeps_who_where_and_what(tmp_path, capsys):
    out = tmp_path / "a.mcap"
    about = ["--subject", "anna", "--session", "2", "--placement", "ankle", "--environment", "lab", "--label", "hop"]
    code = main(["record", "--source", VIRTUAL, "--out", str(out), "--speed", "0", "--json", *about])
    report = json.loads(capsys.readouterr().out)
    recording = Recording.open(out)
    assert code == 0
    assert report["streams"]["main"]["samples"] == 1000
    found = (recording.subject, recording.session, recording.placement, recording.environment)
    assert found == ("anna", "2", "ankle", "lab")
    assert [label.label for label in recording.labels] == ["hop"]


def test_record_takes_several_named_sources(tmp_path, capsys):
    out = tmp_path / "two.mcap"
    two = ["--source", "wrist=virtual:imu?duration_s=3", "--source", "ankle=virtual:imu?duration_s=5&rate_hz=100"]
    assert main(["record", *two, "--out", str(out), "--speed", "0"]) == 0
    recording = Recording.open(out)
    assert {name: len(recording.read(name)) for name in recording.specs} == {"wrist": 150, "ankle": 500}
    assert "ankle" in capsys.readouterr().err
    assert main(["record", "--source", VIRTUAL, "--source", VIRTUAL, "--out", str(tmp_path / "b.mcap")]) == 2


def test_the_exported_c_module_decides_as_the_bundle_does(tmp_path, capsys, monkeypatch):
    need("cc", "gcc libc6-dev")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert main(["export", str(DEMO), "--target", "c", "--out", str(tmp_path / "out")]) == 0
    exported = tmp_path / "out" / DEMO.name
    capsys.readouterr()
    decisions = {}
    for runtime in ("numba", "c"):
        code, out, _ = run(capsys, exported, "--source", VIRTUAL, "--speed", 0, "--json", "--runtime", runtime)
        assert code == 0
        *lines, last = [json.loads(line) for line in out.splitlines()]
        assert last["summary"]["runtime"] == runtime
        decisions[runtime] = lines
    assert len(decisions["c"]) > 20
    for ours, numba in zip(decisions["c"], decisions["numba"], strict=True):
        assert ours.pop("p") == pytest.approx(numba.pop("p"), abs=1e-4)
        del ours["meta"], numba["meta"]
        assert ours == numba


def test_the_c_runtime_without_an_export_names_the_command_that_makes_it(bundle, capsys):
    code, _, err = run(capsys, bundle, "--source", VIRTUAL, "--runtime", "c")
    assert code == 3
    assert f"edgehar export {bundle} --target c" in err
