"""One C program, built and run on every target: same numbers, sizes told apart, instructions and stack counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgehar.boards.targets import TARGETS, Target, find_target
from edgehar.boards.toolchain import Run, build_program, execute, run_program
from edgehar.errors import EdgeHarError, MissingError, UsageError

PROGRAMS = Path(__file__).parent / "programs"
SAMPLES = np.random.default_rng(0).integers(-30000, 30000, 5000).astype(np.int16)
EMULATED = [name for name, target in TARGETS.items() if target.counts_instructions]


def target_or_skip(name: str) -> Target:
    target = find_target(name)
    install = target.missing()
    if install is not None:
        pytest.skip(f"tools for {name} are missing: {install}")
    return target


def filtered(name: str, samples: np.ndarray = SAMPLES, scale: int = -4, count: tuple[str, ...] = ()) -> Run:
    return run_program(
        target_or_skip(name),
        PROGRAMS / "filter_main.c",
        [PROGRAMS / "filter.c"],
        input_bytes=samples.tobytes(),
        include_dirs=[PROGRAMS],
        defines={"SCALE": str(scale)},
        count_functions=count,
    )


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_computes_the_same(name: str) -> None:
    run = filtered(name, count=("filter_push", "hundred_nops"))
    assert run.returncode == 0, run.stderr
    expected = np.convolve(SAMPLES.astype(np.int64), [1, -2, 3, -4])[: len(SAMPLES)].astype(np.int32)
    np.testing.assert_array_equal(np.frombuffer(run.output, np.int32), expected)
    sizes = run.program.sizes
    assert sizes.bss >= 256  # the history
    assert 0 <= run.program.frames["filter_push"] < 500
    if name != "sanitized":  # which adds code, tables and frames of its own
        assert 100 < sizes.text < 1000
        assert sizes.data == 0
        assert 260 <= sizes.bss < 300  # rounded up to an alignment
        assert 0 <= sizes.rodata < 100  # the taps, unless they went into the code
        assert 3000 - 32 <= int(run.stdout.split()[1]) < 3200
    if name in EMULATED:
        assert run.calls["hundred_nops"].calls == len(SAMPLES)
        assert run.calls["hundred_nops"].min_instructions == run.calls["hundred_nops"].max_instructions == 101
        push = run.calls["filter_push"]
        assert push.calls == len(SAMPLES)
        assert 10 < push.min_instructions <= push.mean_instructions <= push.max_instructions < 200
        assert run.calls["whole"].instructions > push.instructions
    else:
        assert not run.calls


def test_instruction_counts_repeat() -> None:
    first, second = (filtered("cortex-m4f", SAMPLES[:50], count=("filter_push",)).calls for _ in range(2))
    assert first == second


def test_a_large_input_reaches_a_small_machine() -> None:
    # 256 windows of 128 steps and 9 channels, in two bytes each, do not fit its RAM.
    samples = np.resize(SAMPLES, 256 * 128 * 9)
    assert samples.nbytes > TARGETS["cortex-m55"].memory.ram_bytes
    run = filtered("cortex-m55", samples)
    assert len(run.output) == 4 * len(samples)


@pytest.mark.parametrize("name", ["gcc-O3", "cortex-m4f"])
def test_what_the_compiler_says_is_told(name: str, tmp_path: Path) -> None:
    source = tmp_path / "loose.c"
    source.write_text("#include <stdint.h>\nint8_t narrow(int x) { return x; }\nint main(void) { return narrow(1); }\n")
    with pytest.raises(EdgeHarError, match=r"loose\.c:2:.*Werror") as caught:
        run_program(target_or_skip(name), source, [])
    assert "conversion" in str(caught.value)


def test_undefined_behaviour_ends_the_sanitized_program(tmp_path: Path) -> None:
    source = tmp_path / "overflow.c"
    source.write_text("int main(int n, char **v) { (void)v; int x = 0x7fffffff; x += n; return x == 0; }\n")
    run = run_program(target_or_skip("sanitized"), source, [])
    assert run.returncode != 0
    assert "overflow" in run.stderr


@pytest.mark.parametrize("name", ["gcc-O3", "cortex-m7", "rv32imc", "armhf"])
def test_the_exit_code_is_the_programs(name: str, tmp_path: Path) -> None:
    source = tmp_path / "seven.c"
    source.write_text("int main(void) { return 7; }\n")
    assert run_program(target_or_skip(name), source, []).returncode == 7


def test_an_unknown_function_cannot_be_counted(tmp_path: Path) -> None:
    source = tmp_path / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    program = build_program(target_or_skip("cortex-m4f"), source, [], tmp_path)
    with pytest.raises(EdgeHarError, match="no function eh_push"):
        execute(program, count_functions=["eh_push"])


def test_a_tail_call_ends_with_its_caller(tmp_path: Path) -> None:
    source = tmp_path / "tail.c"
    source.write_text(
        "void inner(void); void outer(void);\n"
        '__attribute__((noinline)) void inner(void) { __asm__ volatile(".rept 50\\n nop\\n .endr"); }\n'
        '__attribute__((noinline)) void outer(void) { __asm__ volatile("nop"); inner(); }\n'
        "int main(void) { for (volatile int i = 0; i < 3; i++) { outer(); } return 0; }\n"
    )
    program = build_program(target_or_skip("cortex-m4f"), source, [], tmp_path)
    calls = execute(program, count_functions=["inner", "outer"]).calls
    assert (calls["inner"].calls, calls["inner"].min_instructions, calls["inner"].max_instructions) == (3, 51, 51)
    assert (calls["outer"].calls, calls["outer"].max_instructions) == (3, 53)


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for target in TARGETS.values():
        assert target.missing() == f"apt-get install {' '.join(target.packages)}"
    with pytest.raises(MissingError, match="cortex-m4f") as caught:
        run_program(TARGETS["cortex-m4f"], tmp_path / "main.c", [])
    assert "gcc-arm-none-eabi" in caught.value.hint


def test_a_misspelt_target_is_suggested() -> None:
    with pytest.raises(UsageError) as caught:
        find_target("cortex-m4")
    assert "cortex-m4f" in caught.value.hint
