"""The installed package, outside the clone, builds, runs and counts on every target that this machine has tools for."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgehar.boards.targets import TARGETS

CLONE = Path(__file__).parents[2]
SCRIPT = """
import json, sys
from pathlib import Path
from edgehar.boards.targets import TARGETS
from edgehar.boards.toolchain import run_program
target = TARGETS[sys.argv[1]]
main, step = Path("main.c"), Path("step.c")
run = run_program(target, main, [step], input_bytes=bytes(range(256)) * 4096, count_functions=["step"])
counted = run.calls["step"].min_instructions if run.calls else None
print(json.dumps({"code": run.returncode, "sum": int.from_bytes(run.output, "little"), "counted": counted}))
"""
STEP = """unsigned step(unsigned sum, unsigned char byte);
unsigned step(unsigned sum, unsigned char byte)
{
    return sum * 31u + byte;
}
"""
MAIN = """#include <stdio.h>
unsigned step(unsigned sum, unsigned char byte);
int main(void)
{
    unsigned char byte;
    unsigned sum = 0;
    FILE *in = fopen("input.bin", "rb"), *out = fopen("output.bin", "wb");
    while (fread(&byte, 1, 1, in) == 1) {
        sum = step(sum, byte);
    }
    fwrite(&sum, sizeof sum, 1, out);
    return fclose(out);
}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel would install."""
    path = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(path), str(CLONE)], check=True
    )
    with zipfile.ZipFile(next(path.glob("edgehar-*.whl"))) as wheel:
        wheel.extractall(path / "site")
    return path / "site"


@pytest.mark.parametrize("name", TARGETS)
def test_a_megabyte_reaches_the_program_on_every_target(name: str, package: Path, tmp_path: Path) -> None:
    install = TARGETS[name].missing()
    if install is not None:
        pytest.skip(f"tools for {name} are missing: {install}")
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "step.c").write_text(STEP)
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", code, name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = 0
    for byte in bytes(range(256)) * 4096:
        expected = (expected * 31 + byte) & 0xFFFFFFFF
    told = json.loads(done.stdout)
    assert (told["code"], told["sum"]) == (0, expected)
    assert (told["counted"] is not None) == TARGETS[name].counts_instructions
