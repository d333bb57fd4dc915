"""Where C is built and run: this machine's compilers, and emulators of the boards' cores.

A bare-metal target is a QEMU machine whose only peripheral we use is semihosting: picolibc's `fopen` then reads the
host's files, so one `main.c` serves every target. Its memory map goes to picolibc's linker script as `__flash`,
`__ram` and their sizes.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgehar.errors import Reason, UsageError

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
# A compiler may otherwise fuse a*b+c into one rounding on cores that have the instruction, and into two elsewhere.
LANGUAGE = ("-std=c99", *WARNINGS, "-ffp-contract=off")
PICOLIBC = "--specs=picolibc.specs"
SEMIHOSTED = ("--crt0=semihost", "--oslib=semihost")
STACK_BYTES = 0x8000


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a bare-metal machine has its flash and RAM, and how much of each."""

    flash: int
    flash_bytes: int
    ram: int
    ram_bytes: int

    def link_flags(self) -> tuple[str, ...]:
        symbols = {
            "__flash": self.flash,
            "__flash_size": self.flash_bytes,
            "__ram": self.ram,
            "__ram_size": self.ram_bytes,
            "__stack_size": STACK_BYTES,
        }
        return tuple(f"-Wl,--defsym={name}={value:#x}" for name, value in symbols.items())


@dataclass(frozen=True, slots=True)
class Target:
    """A compiler with its flags and, unless the program runs here as it is, the emulator that runs it."""

    name: str
    title: str
    compiler: str
    flags: tuple[str, ...]
    packages: tuple[str, ...]
    memory: Memory | None = None
    emulator: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    # Files of the packages that the compiler must find: a bare cross compiler links nothing.
    needs: tuple[str, ...] = ()
    # Code, data and frames are inflated by checks, so their sizes mean nothing.
    instrumented: bool = False

    def missing(self) -> str | None:
        """The command that installs what is absent; None when all is there."""
        there = all(map(shutil.which, (self.compiler, *self.emulator[:1]))) and all(map(self._compiler_has, self.needs))
        return None if there else f"apt-get install {' '.join(self.packages)}"

    def _compiler_has(self, file: str) -> bool:
        """GCC answers with a path when it finds the file and with the bare name when it does not."""
        command = (self.compiler, *self.flags, f"-print-file-name={file}")
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        return Path(found).is_absolute()

    @property
    def counts_instructions(self) -> bool:
        """Whether `run_program` can count instructions there: only a whole machine in QEMU takes our plugin."""
        return self.memory is not None

    def link_flags(self) -> tuple[str, ...]:
        bare = () if self.memory is None else (*SEMIHOSTED, *self.memory.link_flags())
        return (*bare, "-lm")


def _cortex_m(name: str, title: str, machine: str, memory: Memory, *flags: str) -> Target:
    return Target(
        name,
        title,
        "arm-none-eabi-gcc",
        ("-O2", PICOLIBC, "-mthumb", "-mfloat-abi=hard", *flags),
        ("gcc-arm-none-eabi", "picolibc-arm-none-eabi", "qemu-system-arm"),
        memory,
        ("qemu-system-arm", "-M", machine),
        needs=("picolibc.specs",),
    )


def _user_land(name: str, title: str, cpu: str, triple: str, arch: str, libc: str, *flags: str) -> Target:
    return Target(
        name,
        title,
        f"{triple}-gcc",
        ("-O2", "-static", *flags),
        (f"gcc-{triple}", libc, "qemu-user-static"),
        None,
        (f"qemu-{arch}-static",),
        (("QEMU_CPU", cpu),),
        needs=("libc.a",),
    )


SANITIZERS = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)
GCC = ("gcc", "libc6-dev")
CLANG = ("clang", "libc6-dev")
MPS2 = Memory(0, 0x400000, 0x20000000, 0x400000)
AN547 = Memory(0, 0x80000, 0x20000000, 0x80000)
VIRT = Memory(0x80000000, 0x400000, 0x80400000, 0x400000)
A64 = ("aarch64-linux-gnu", "aarch64", "libc6-dev-arm64-cross")
ARMHF = ("arm-linux-gnueabihf", "arm", "libc6-dev-armhf-cross")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("gcc-O0", "this machine, GCC without optimisation", "gcc", ("-O0",), GCC),
        Target("gcc-O3", "this machine, GCC", "gcc", ("-O3",), GCC),
        Target("clang-O0", "this machine, Clang without optimisation", "clang", ("-O0",), CLANG),
        Target("clang-O3", "this machine, Clang", "clang", ("-O3",), CLANG),
        Target(
            "sanitized",
            "this machine, address and undefined-behaviour checks",
            "gcc",
            SANITIZERS,
            GCC,
            instrumented=True,
        ),
        _cortex_m("cortex-m4f", "Cortex-M4F in QEMU", "mps2-an386", MPS2, "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"),
        _cortex_m("cortex-m7", "Cortex-M7 in QEMU", "mps2-an500", MPS2, "-mcpu=cortex-m7", "-mfpu=fpv5-d16"),
        _cortex_m("cortex-m55", "Cortex-M55 in QEMU", "mps3-an547", AN547, "-mcpu=cortex-m55"),
        Target(
            "rv32imc",
            "32-bit RISC-V (the instruction set of ESP32-C3) in QEMU",
            "riscv64-unknown-elf-gcc",
            ("-O2", PICOLIBC, "-march=rv32imc", "-mabi=ilp32"),
            ("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", "qemu-system-misc"),
            VIRT,
            ("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
            needs=("picolibc.specs",),
        ),
        _user_land("aarch64-a53", "64-bit Linux on Cortex-A53 (Pi Zero 2) in QEMU", "cortex-a53", *A64),
        _user_land("aarch64-a72", "64-bit Linux on Cortex-A72 (Pi 4) in QEMU", "cortex-a72", *A64),
        _user_land("armhf", "32-bit Linux (Raspberry Pi OS) in QEMU", "cortex-a7", *ARMHF, "-march=armv7-a+fp"),
    )
}


def find_target(name: str) -> Target:
    """The target called `name`; UsageError with the nearest name otherwise."""
    if name not in TARGETS:
        near = difflib.get_close_matches(name.lower(), TARGETS, n=1)
        raise UsageError(
            f"no C target is called '{name}'",
            reason=Reason.UNKNOWN_NAME,
            hint=f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(TARGETS)}",
        )
    return TARGETS[name]
