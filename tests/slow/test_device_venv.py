"""A device install for real: the wheel with its core dependencies in an empty environment runs a bundle live."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories import random_bundle

from edgehar.bundle import save_bundle

ROOT = Path(__file__).parents[2]
DESK = {
    "torch",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "scikit-learn",
    "scipy",
    "snntorch",
    "matplotlib",
    "pandas",
    "pooch",
}


def call(*arguments, cwd):
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """Interpreter of an environment that holds the wheel and what it asks for, nothing else."""
    place = tmp_path_factory.mktemp("device")
    source = place / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(
            ".git", ".venv*", "venv*", "build", "dist", "runs", "data", "*_cache", "__pycache__"
        ),
    )
    call(sys.executable, "-m", "venv", place / "env", cwd=place)
    python = place / "env" / "bin" / "python"
    call(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", source, cwd=place)
    shutil.rmtree(source)  # nothing may come from the clone any more
    return python


def test_the_environment_holds_nothing_of_the_desk(device, tmp_path):
    listed = json.loads(call(device, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    assert not {package["name"].lower() for package in listed} & DESK


def test_run_decides_live_outside_the_clone(device, tmp_path):
    save_bundle(random_bundle("fastgrnn", window=50, hop=25), tmp_path / "small.edgehar")
    edgehar = device.parent / "edgehar"
    out = call(
        edgehar, "run", "small.edgehar", "--source", "virtual:imu?seed=1&duration_s=10", "--speed", "0", "--json",
        "--record", "copy.mcap", cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(out.splitlines()[-1])["summary"]["decisions"] == 19
    again = call(
        edgehar, "run", "small.edgehar", "--source", "replay:copy.mcap", "--speed", "0", "--json", cwd=tmp_path
    )
    decisions = [line.partition(', "meta"')[0] for line in out.splitlines()[:-1]]
    assert [line.partition(', "meta"')[0] for line in again.splitlines()[:-1]] == decisions


def test_a_c_module_is_exported_and_compiles_outside_the_clone(device, tmp_path):
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    save_bundle(random_bundle("fastgrnn", window=50, hop=25), tmp_path / "small.edgehar")
    edgehar = device.parent / "edgehar"
    call(edgehar, "export", "small.edgehar", "--target", "c", "--board", "nrf52840", "--out", "out", cwd=tmp_path)
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out" / "c").iterdir()}
    assert set(told["files"]) == {*written, "small.edgehar"}
    sources = sorted(path.name for path in (tmp_path / "out" / "c").glob("*.c"))
    warnings = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
    call(
        compiler, "-std=c99", "-O2", "-ffp-contract=off", *warnings, *sources, "-lm", "-o", "main",
        cwd=tmp_path / "out" / "c",
    )  # fmt: skip
    samples = tmp_path / "samples.csv"
    samples.write_text("".join("0.1,0.2,0.9,0,0,0\n" for _ in range(100)))
    decisions = call(tmp_path / "out" / "c" / "main", samples, cwd=tmp_path).splitlines()
    assert [line.split(",")[0] for line in decisions] == ["50", "75", "100"]


def test_what_a_format_needs_is_named_outside_the_clone(device, tmp_path):
    save_bundle(random_bundle("fastgrnn", window=50, hop=25), tmp_path / "small.edgehar")
    command = [device.parent / "edgehar", "export", "small.edgehar", "--target", "onnx", "--out", "out"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert "pip install 'edgehar[export]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_firmware_can_be_built_outside_the_clone(device, tmp_path):
    command = (device.with_name("edgehar"), "firmware", "build", "--dry-run", "--with", "docker")
    line = call(*command, cwd=tmp_path)
    assert f"{device.parents[1]}/lib/" in line  # the sources that the wheel brought
    assert "edgehar/firmware:/firmware:ro" in line
