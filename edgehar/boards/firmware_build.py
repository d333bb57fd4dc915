"""Where the firmware's sources are, how they are built, and where a build is kept.

The build runs ESP-IDF, which is a gigabyte of compilers: either installed here (`idf.py` on the path) or in the
container that Espressif publishes. edgehar ships sources, no binaries.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import edgehar
from edgehar.boards.flash.chips import Chip
from edgehar.boards.flash.firmware import BUILD_FILE
from edgehar.errors import EdgeHarError, MissingError, Reason, UsageError

PROJECT = "esp32s3_csi"
CONTAINER = "docker.io/espressif/idf:v5.5.1"
PROGRAMS = ("idf.py", "docker", "podman")
SOURCES = "src"
STDERR = 2
INSTALL = "https://docs.espressif.com/projects/esp-idf/en/stable/esp32s3/get-started/"


def firmware_sources() -> Path:
    """The directory `firmware`: inside the installed package, or beside it in a clone. Raises MissingError."""
    package = Path(edgehar.__file__).parent
    for place in (package / "firmware", package.parent / "firmware"):
        if (place / "common").is_dir():
            return place
    raise MissingError(
        "this installation has no firmware sources",
        reason=Reason.NOT_FOUND,
        hint="pip install --force-reinstall edgehar, or work in a clone of the repository",
    )


def default_partitions() -> str | None:
    """The text of the firmware's partitions.csv; None where the sources are not at hand."""
    try:
        return (firmware_sources() / PROJECT / "partitions.csv").read_text(encoding="utf-8")
    except (MissingError, OSError):
        return None


def cached_build(chip: Chip) -> Path:
    """Where the build for `chip` is kept: $XDG_CACHE_HOME/edgehar/firmware/VERSION/CHIP (default ~/.cache)."""
    return cache_root() / chip.name


def cache_root() -> Path:
    """Builds of this version of edgehar; another version's firmware may not speak its protocol."""
    named = os.environ.get("XDG_CACHE_HOME")
    home = Path(named) if named else Path.home() / ".cache"
    return home / "edgehar" / "firmware" / edgehar.__version__


def is_built(directory: Path) -> bool:
    """Whether `idf.py` finished a build in `directory`."""
    return (directory / BUILD_FILE).is_file()


def build_command(chip: Chip, build: Path, program: str = "auto") -> list[str]:
    """The command that builds the firmware for `chip` into the directory `build`.

    `program`: idf.py, docker, podman or auto, the first of them that is installed. Raises MissingError where none is.
    """
    if program == "auto":
        found = next((name for name in PROGRAMS if shutil.which(name)), None)
        if found is None:
            raise MissingError(
                f"none of {', '.join(PROGRAMS)} is installed, and one of them is needed to build firmware",
                reason=Reason.NOT_INSTALLED,
                hint=f"apt-get install podman, then: {container_line(chip, build, 'podman')}; or ESP-IDF: {INSTALL}",
            )
        program = found
    if program not in PROGRAMS:
        raise UsageError(
            f"firmware is not built with {program!r}", reason=Reason.UNKNOWN_NAME, hint=f"one of {', '.join(PROGRAMS)}"
        )
    if program == "idf.py":
        return _idf_command(chip, str(build))
    # Podman maps root in the container to the user outside; docker does not, and would leave files of root's.
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if program == "docker" and hasattr(os, "getuid") else []
    inside = (
        f"rm -rf /build/{SOURCES} && cp -R /firmware /build/{SOURCES} && {shlex.join(_idf_command(chip, '/build'))}"
    )
    return [
        *(program, "run", "--rm", *user, "--env", "HOME=/tmp"),
        *("--volume", f"{firmware_sources()}:/firmware:ro", "--volume", f"{build}:/build"),
        *(CONTAINER, "bash", "-c", inside),
    ]


def container_line(chip: Chip, build: Path, program: str = "docker") -> str:
    """One line for a shell that builds the firmware in Espressif's container, without edgehar's help."""
    return f"mkdir -p {shlex.quote(str(build))} && {shlex.join(build_command(chip, build, program))}"


def build_firmware(command: list[str], build: Path) -> None:
    """Run what `build_command` made; its output goes to stderr. Raises EdgeHarError when the build fails."""
    build.mkdir(parents=True, exist_ok=True)
    if command[0] == "idf.py":  # an installed package may not be writable, and ESP-IDF writes beside its sources
        shutil.rmtree(build / SOURCES, ignore_errors=True)
        shutil.copytree(firmware_sources(), build / SOURCES)
    try:
        done = subprocess.run(command, cwd=build, stdout=STDERR, check=False)
    except FileNotFoundError:
        raise MissingError(
            f"{command[0]} is not installed", reason=Reason.NOT_INSTALLED, hint=f"see {INSTALL}"
        ) from None
    if done.returncode != 0 or not is_built(build):
        raise EdgeHarError(
            f"the build ended with exit code {done.returncode} and left no {BUILD_FILE} in {build}",
            reason=Reason.VALUE,
            hint="the compiler's own words stand above; mend the first error",
        )


def _idf_command(chip: Chip, build: str) -> list[str]:
    # The configuration lies with the build, so that chips do not share one.
    project, configuration = f"{build}/{SOURCES}/{PROJECT}", f"-DSDKCONFIG={build}/sdkconfig"
    return ["idf.py", "-C", project, "-B", build, f"-DIDF_TARGET={chip.name}", configuration, "build"]
