"""libFuzzer on the board's core: a short run always; in the slow tier a minute, or EDGEHAR_FUZZ_S seconds."""

import os
import shutil
import subprocess

import pytest

from tests.firmware.core_cases import COMMON, CORE, FIRMWARE
from tests.wire_frames import wire

SANITIZE = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    """The fuzzer and its directory, with a few sound inputs to begin from."""
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed: apt-get install clang")
    place = tmp_path_factory.mktemp("fuzz")
    source = FIRMWARE / "host_tests" / "fuzz.c"
    built = subprocess.run(
        ["clang", "-std=c99", *SANITIZE, f"-I{COMMON}", source, *CORE, "-o", place / "fuzz"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "libclang_rt.fuzzer" in built.stderr:
        pytest.skip("clang's fuzzer is not installed: apt-get install libclang-rt-dev")
    assert built.returncode == 0, built.stderr
    corpus = place / "corpus"
    corpus.mkdir()
    (corpus / "frame").write_bytes(b"\0" + wire()[0][1:-1])
    (corpus / "zeros").write_bytes(b"\1" + bytes(300))
    (corpus / "queue").write_bytes(b"\2" + bytes([1, 255, 1, 200, 0, 0, 1, 3]) * 20)
    (corpus / "life").write_bytes(b"\3" + b"\x1f#1 channel 6 below\nrate 100\nhello\n" + bytes([200]) * 900)
    lines = b"#1 axes 9\n\x0c\x0egyro 125\n\x0frate 200\nstop\nstart\n"
    (corpus / "tag").write_bytes(b"\4" + b"\x30" + bytes(48) + lines + bytes([200]) * 900)
    return place


def fuzz(place, *options):
    done = subprocess.run(
        ["./fuzz", "corpus", "-max_len=2048", "-seed=1", "-print_final_stats=1", *options],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_the_core_keeps_its_promises_on_some_thousand_inputs(fuzzer):
    fuzz(fuzzer, "-runs=20000")


@pytest.mark.slow
def test_the_core_keeps_its_promises_for_a_minute(fuzzer):
    fuzz(fuzzer, f"-max_total_time={os.environ.get('EDGEHAR_FUZZ_S', '60')}")
