"""Build a C program for a target, run it there, and tell what it takes.

The program's contract is the same everywhere: read `input.bin` from and write `output.bin` to the current directory
with <stdio.h>, print remarks, return 0. Emulated machines reach both files by semihosting.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from edgehar.boards.elf import Sizes, read_symbols, section_sizes
from edgehar.boards.qemu import COUNTS, Calls, counting_arguments, machine_arguments, read_calls
from edgehar.boards.targets import LANGUAGE, Target
from edgehar.errors import EdgeHarError, MissingError, Reason

PATIENCE_S = 900.0
"""Only so that a hang ends: floats without an FPU take minutes in emulation on a busy machine."""
OWN_HEADERS = Path(str(resources.files("edgehar.boards").joinpath("c")))


@dataclass(frozen=True, slots=True)
class Program:
    """What the compiler made. `sizes` and frames are those of `sources`, without `main` and the C library.

    `frames`: stack bytes of each function's own frame, from `-fstack-usage`; a call chain takes their sum.
    """

    target: Target
    executable: Path
    sizes: Sizes
    frames: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """How a program went. `calls`: instructions executed in emulation, which are not cycles."""

    program: Program
    returncode: int
    stdout: bytes
    stderr: str
    output: bytes
    calls: Mapping[str, Calls] = field(default_factory=dict)


def run_program(
    target: Target,
    main: Path,
    sources: Sequence[Path],
    *,
    input_bytes: bytes = b"",
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    count_functions: Sequence[str] = (),
) -> Run:
    """Build and run in a temporary directory. Raises as `build_program` and `execute` do."""
    with tempfile.TemporaryDirectory(prefix="edgehar-") as directory:
        program = build_program(target, main, sources, Path(directory), include_dirs=include_dirs, defines=defines)
        return execute(program, input_bytes, count_functions=count_functions)


def build_program(
    target: Target,
    main: Path,
    sources: Sequence[Path],
    directory: Path,
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> Program:
    """Compile `main` and `sources` into `directory`, warnings being errors.

    Raises MissingError with the install command when the target's tools are absent, EdgeHarError with the compiler's
    own words when it refuses.
    """
    install = target.missing()
    if install is not None:
        raise MissingError(f"{target.name}: tools are missing", reason=Reason.NOT_INSTALLED, hint=install)
    options = [
        *target.flags,
        *LANGUAGE,
        *(f"-I{path}" for path in (*include_dirs, OWN_HEADERS)),
        *(f"-D{name}={value}" for name, value in (defines or {}).items()),
    ]
    objects = []
    for i, source in enumerate([main, *sources]):
        objects.append(directory / f"{i}_{source.stem}.o")
        _compile([target.compiler, *options, "-fstack-usage", "-c", str(source), "-o", str(objects[-1])])
    executable = directory / "program.elf"
    _compile([target.compiler, *target.flags, *map(str, objects), *target.link_flags(), "-o", str(executable)])
    sizes, frames = Sizes(), {}
    for path in objects[1:]:
        sizes += section_sizes(path)
        frames.update(_frames(path.with_suffix(".su")))
    return Program(target, executable, sizes, frames)


def execute(program: Program, input_bytes: bytes = b"", *, count_functions: Sequence[str] = ()) -> Run:
    """Run `program` with `input_bytes` as its input.bin.

    `count_functions`: global functions whose instructions are counted, called functions included; {} where the target
    is not emulated as a whole machine. Raises EdgeHarError when the program does not end or names are unknown.
    """
    target, directory = program.target, program.executable.parent
    (directory / "input.bin").write_bytes(input_bytes)
    output = directory / "output.bin"
    output.unlink(missing_ok=True)
    counting = bool(count_functions) and target.counts_instructions
    command = [*target.emulator, str(program.executable)]
    if target.memory is not None:
        command = [*target.emulator, *machine_arguments(program.executable)]
    if counting:
        command += counting_arguments(target, _addresses(program, count_functions), directory)
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **dict(target.environment)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EdgeHarError(
            f"{target.name}: the program did not end within {PATIENCE_S:g} s",
            reason=Reason.VALUE,
            hint="give it fewer windows",
        ) from None
    return Run(
        program,
        done.returncode,
        done.stdout,
        done.stderr.decode(errors="replace"),
        output.read_bytes() if output.exists() else b"",
        read_calls(directory / COUNTS) if counting else {},
    )


def _compile(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EdgeHarError(
            f"{' '.join(command)}\n{done.stderr.strip()}",
            reason=Reason.FORMAT,
            hint="mend the C code at the line named above",
        )


def _frames(path: Path) -> dict[str, int]:
    """Function -> bytes, from lines like `model.c:12:5:eh_step<tab>48<tab>static`."""
    if not path.exists():
        return {}
    rows = re.findall(r":(\w+)\t(\d+)\t", path.read_text())
    return {name: int(size) for name, size in rows}


def _addresses(program: Program, functions: Sequence[str]) -> dict[str, int]:
    symbols = read_symbols(program.executable)
    unknown = [name for name in functions if name not in symbols]
    if unknown:
        raise EdgeHarError(
            f"{program.target.name}: the program has no function {', '.join(unknown)}",
            reason=Reason.UNKNOWN_NAME,
            hint="a static function may have been inlined; count one that other files call",
        )
    return {name: symbols[name].value for name in functions}
