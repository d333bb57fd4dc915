"""How QEMU is called, and our instruction counter inside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgehar.boards.targets import Target
from edgehar.errors import EdgeHarError, MissingError, Reason

QUIET = ("-display", "none", "-serial", "none", "-monitor", "none", "-parallel", "none")
COUNTS = "calls.txt"
# Without a character device QEMU sends what the program prints to its own standard error.
SEMIHOSTING = ("-chardev", "stdio,id=console", "-semihosting-config", "enable=on,target=native,chardev=console")


@dataclass(frozen=True, slots=True)
class Calls:
    """Instructions that calls of one function executed, those of the functions they called included."""

    calls: int
    instructions: int
    min_instructions: int
    max_instructions: int

    @property
    def mean_instructions(self) -> float:
        return self.instructions / self.calls if self.calls else 0.0


def machine_arguments(executable: Path) -> list[str]:
    """Everything after the machine's name: no devices but semihosting, and the program."""
    return [*QUIET, *SEMIHOSTING, "-kernel", str(executable)]


def counting_arguments(target: Target, functions: Mapping[str, int], directory: Path) -> list[str]:
    """Arguments that make QEMU, run in `directory`, count the calls of `functions` (name -> address) into COUNTS."""
    plugin = build_plugin(target.emulator[0], directory)
    names = "".join(f",{name}={address:x}" for name, address in functions.items())
    # Names relative to the directory: a comma in its path would end the option.
    return ["-plugin", f"./{plugin.name},out={COUNTS}{names}"]


def build_plugin(emulator: str, directory: Path) -> Path:
    """Compile the counter for the installed QEMU into `directory`: a tenth of a second, so it is kept nowhere."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise MissingError(
            "counting instructions needs a compiler for this machine",
            reason=Reason.NOT_INSTALLED,
            hint="apt-get install gcc libc6-dev",
        )
    source = resources.files("edgehar.boards").joinpath("c", "count_calls.c")
    plugin = directory / "count_calls.so"
    version = f"-DPLUGIN_VERSION={plugin_version(emulator)}"
    with resources.as_file(source) as path:
        command = [compiler, "-std=c99", "-O2", "-shared", "-fPIC", version, str(path), "-o", str(plugin)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EdgeHarError(
            f"{' '.join(command)}\n{done.stderr.strip()}", reason=Reason.FORMAT, hint="apt-get install gcc libc6-dev"
        )
    return plugin


def plugin_version(emulator: str) -> int:
    """The plugin interface to announce: QEMU 9 refuses version 1, older ones refuse 2."""
    told = subprocess.run([emulator, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.", told)
    return 2 if found is not None and int(found[1]) >= 9 else 1


def read_calls(path: Path) -> dict[str, Calls]:
    """What the counter wrote; `whole` is the program from reset to exit."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {name: Calls(*map(int, numbers)) for name, *numbers in rows}
