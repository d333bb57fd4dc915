"""The CSI firmware's CMake files with a model and without, where a stand-in takes ESP-IDF's place."""

import json
import shutil
import subprocess

import pytest

from tests.firmware.csi_model import csi_bundle, emitted
from tests.firmware.glue import MAIN

# What ESP-IDF does with a component, as far as it matters here.
PROJECT = f"""\
cmake_minimum_required(VERSION 3.16)
project(stand_in C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
function(idf_component_register)
    cmake_parse_arguments(arg "" "" "SRCS;INCLUDE_DIRS" ${{ARGN}})
    add_library(main STATIC ${{arg_SRCS}})
    target_include_directories(main PUBLIC ${{arg_INCLUDE_DIRS}})
    set(COMPONENT_LIB main PARENT_SCOPE)
endfunction()
add_subdirectory("{MAIN}" main)
"""


def configure(directory, *options):
    """CMake's exit code and words, and file name -> command of each source."""
    if shutil.which("cmake") is None or shutil.which("gcc") is None:
        pytest.skip("cmake is not installed: apt-get install cmake make gcc")
    (directory / "CMakeLists.txt").write_text(PROJECT)
    done = subprocess.run(
        ["cmake", "-S", directory, "-B", directory / "b", *options], capture_output=True, text=True, check=False
    )
    listed = directory / "b" / "compile_commands.json"
    rows = json.loads(listed.read_text()) if done.returncode == 0 else []
    words = " ".join((done.stdout + done.stderr).split())
    return done.returncode, words, {row["file"].rpartition("/")[2]: row["command"] for row in rows}


def test_a_model_is_compiled_in_with_one_rounding_per_operation(tmp_path):
    model = emitted(csi_bundle(), tmp_path / "model").directory
    code, words, commands = configure(tmp_path, f"-DEDGEHAR_MODEL_DIR={model}", "-DEDGEHAR_DECISIONS_ONLY=0")
    assert code == 0, words
    assert {"eh_model.c", "eh_stream.c", "eh_infer.c", "onboard.c"} <= set(commands)
    assert "eh_shared.c" not in commands
    assert str(MAIN / "main.c") in commands["main.c"]  # not the module's example
    for name in ("eh_model.c", "eh_stream.c", "eh_infer.c"):
        assert "-ffp-contract=off" in commands[name]
    assert "-DEH_ONBOARD=1 -DEH_ONBOARD_ALONE=0" in commands["node.c"]
    assert f"-I{model}" in commands["onboard.c"]


def test_a_second_build_changes_its_mind(tmp_path):
    model = emitted(csi_bundle(), tmp_path / "model").directory
    _, _, commands = configure(tmp_path, f"-DEDGEHAR_MODEL_DIR={model}", "-DEDGEHAR_DECISIONS_ONLY=1")
    assert "-DEH_ONBOARD_ALONE=1" in commands["node.c"]
    code, _, commands = configure(tmp_path, "-DEDGEHAR_MODEL_DIR=", "-DEDGEHAR_DECISIONS_ONLY=0")
    assert code == 0
    assert "eh_model.c" not in commands
    assert "EH_ONBOARD" not in commands["node.c"]


def test_a_directory_without_a_model_stops_the_build_with_the_command_that_makes_one(tmp_path):
    code, words, _ = configure(tmp_path, f"-DEDGEHAR_MODEL_DIR={tmp_path}")
    assert code != 0
    assert "holds no model for CSI: edgehar export BUNDLE --target c --csi-layout LAYOUT --out DIR" in words
