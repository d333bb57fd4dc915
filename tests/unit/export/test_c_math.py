"""The C runtime's functions one by one: gates and rounding bit for bit, elementary functions within their promise."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from edgehar.graph.fixedpoint import tanh_table
from edgehar.graph.intexecute import rounded, sigmoid_q15, tanh_q15
from tests.cbuild import WARNINGS, need

RUNTIME = Path(str(resources.files("edgehar.export.c").joinpath("runtime")))
INPUTS = np.concatenate(
    [
        np.linspace(-90, 90, 20_001),
        np.geomspace(1e-30, 1e30, 20_001),
        -np.geomspace(1e-30, 1e30, 2_001),
        [0.0, -0.0, 1e-42, 3.4e38, -3.4e38, 0.5, -1.5, 2.5, 127.5, -127.5, -128.5, np.inf, -np.inf, np.nan],
    ]
).astype(np.float32)


def apply(tmp_path: Path, expression: str, x: np.ndarray, *flags: str, compiler: str = "gcc") -> np.ndarray:
    """`expression` in C of every float v; 4-byte results as uint32."""
    need(compiler, compiler)
    kind = "float" if "float" in flags else "int32_t"
    (tmp_path / "main.c").write_text(f"""
#include <stdio.h>
#include "eh_gates.h"
#include "eh_math.h"
#include "eh_quantise.h"
static const int16_t table[] = {{{", ".join(map(str, tanh_table().value))}}};
int main(void)
{{
    float v;
    (void)table;
    while (fread(&v, sizeof v, 1, stdin) == 1) {{
        const {kind} y = {expression};
        fwrite(&y, sizeof y, 1, stdout);
    }}
    return 0;
}}
""")
    program = tmp_path / "program"
    options = [flag for flag in flags if flag.startswith("-")]
    command = [compiler, *WARNINGS, *options, f"-I{RUNTIME}", str(tmp_path / "main.c"), "-o", str(program), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program], input=x.astype("<f4").tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, "<u4")


def floats(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f4").astype(np.float64)


def test_gates_are_those_of_the_executor(tmp_path: Path) -> None:
    v = np.arange(-40_000, 40_001)
    table = tanh_table().value.astype(np.int64)
    clipped = np.clip(v, -32768, 32767)

    tanh = apply(tmp_path, "eh_tanh_q15((int32_t)v, table)", v).view("<i4")
    sigmoid = apply(tmp_path, "eh_sigmoid_q15((int32_t)v, table)", v).view("<i4")

    np.testing.assert_array_equal(tanh, tanh_q15(clipped, table))
    np.testing.assert_array_equal(sigmoid, sigmoid_q15(clipped, table))
    assert sigmoid.min() >= 0
    assert sigmoid.max() <= 32767


@pytest.mark.parametrize("shift", [0, 1, 7, 15])
def test_shifts_round_as_the_executor_does(shift: int, tmp_path: Path) -> None:
    v = np.arange(-3000, 3001)
    for bits in (32, 64):
        found = apply(tmp_path, f"(int32_t)eh_round{bits}((int{bits}_t)v, {shift})", v).view("<i4")
        np.testing.assert_array_equal(found, rounded(v, shift))


def test_samples_are_rounded_half_to_even_and_saturated(tmp_path: Path) -> None:
    found = apply(tmp_path, "eh_quantise(v, 1.0f, -128, 127)", INPUTS).view("<i4")

    wanted = np.clip(np.rint(np.nan_to_num(INPUTS)), -128, 127).astype(int)
    np.testing.assert_array_equal(found, wanted)


FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    "eh_exp": (np.exp, 3e-7, 0.0),
    "eh_log": (np.log, 2e-7, 2e-7),
    "eh_asinh": (np.arcsinh, 4e-7, 0.0),
    "eh_tanh": (np.tanh, 0.0, 2e-7),
    "eh_sigmoid": (lambda v: 1 / (1 + np.exp(-v)), 3e-7, 1e-37),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_keep_their_promise(name: str, tmp_path: Path) -> None:
    equation, relative, absolute = FUNCTIONS[name]
    x = INPUTS[np.isfinite(INPUTS)]
    x = x[x > 0] if name == "eh_log" else x[np.abs(x) < 87] if name in ("eh_exp", "eh_sigmoid") else x

    found = floats(apply(tmp_path, f"{name}(v)", x, "float"))

    with np.errstate(all="ignore"):
        np.testing.assert_allclose(found, equation(x.astype(np.float64)), rtol=relative, atol=absolute)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_compiler_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    x = INPUTS[INPUTS > 0] if name == "eh_log" else INPUTS

    bits = [
        apply(tmp_path, f"{name}(v)", x[~np.isnan(x)], "float", level, compiler=compiler)
        for compiler in ("gcc", "clang")
        for level in ("-O0", "-O3")
    ]

    for others in bits[1:]:
        np.testing.assert_array_equal(bits[0], others)


def test_the_exponential_ends_where_floats_do(tmp_path: Path) -> None:
    found = floats(apply(tmp_path, "eh_exp(v)", np.array([-1e30, -100.0, 100.0, np.inf]), "float"))

    assert list(found[:2]) == [0.0, 0.0]
    assert found[2] == found[3] == pytest.approx(np.exp(88.0), rel=1e-6)
    assert struct.unpack("<f", struct.pack("<f", found[2]))[0] < np.inf
