"""Where the firmware's sources are, how they are built, and where a build is kept.

The build runs ESP-IDF, which is a gigabyte of compilers: either installed here (`idf.py` on the path) or in the
container that Espressif publishes. edgehar ships sources, no binaries.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import edgehar
from edgehar.boards.firmware_model import KEPT
from edgehar.boards.flash.chips import Chip
from edgehar.boards.flash.firmware import BUILD_FILE
from edgehar.errors import EdgeHarError, InputError, MissingError, Reason, UsageError

PROJECT = "esp32s3_csi"
TAG_PROJECT = "imu_ble"
PROJECTS = (PROJECT, TAG_PROJECT)
CONTAINER = "docker.io/espressif/idf:v5.5.1"
PROGRAMS = ("idf.py", "docker", "podman")
SOURCES = "src"
STDERR = 2
BMI270_SOURCE = "bmi270.c"
BMI270_ARRAY = "bmi270_config_file[]"
BMI270_HINT = "bmi270.c of https://github.com/boschsensortec/BMI270_SensorAPI (BSD-3-Clause, Bosch Sensortec)"
INSTALL = "https://docs.espressif.com/projects/esp-idf/en/stable/esp32s3/get-started/"


@dataclass(frozen=True, slots=True)
class Additions:
    """What goes into a build beside the sources, all of it kept in the build directory.

    bmi270: what `keep_bmi270_source` has put there, for a tag. model: what `firmware_model.keep_model` has put there,
    for a CSI board; decisions_only: such a board sends no frames before it is told to.
    """

    bmi270: bool = False
    model: bool = False
    decisions_only: bool = False

    def definitions(self, project: str, build: str) -> list[str]:
        """For CMake, which keeps them from build to build: those that are not wanted are made empty."""
        if project == TAG_PROJECT:
            return [f"-DBMI270={f'{build}/{BMI270_SOURCE}' if self.bmi270 else ''}"]
        model = f"{build}/{KEPT}" if self.model else ""
        return [f"-DEDGEHAR_MODEL_DIR={model}", f"-DEDGEHAR_DECISIONS_ONLY={int(self.decisions_only)}"]


NOTHING = Additions()


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


def project_named(name: str) -> str:
    """The firmware with this name. Raises UsageError for another."""
    if name in PROJECTS:
        return name
    raise UsageError(
        f"no firmware {name!r}",
        reason=Reason.UNKNOWN_NAME,
        hint=f"{PROJECT} (CSI) or {TAG_PROJECT} (an inertial sensor over Bluetooth LE or a cable)",
    )


def default_partitions(project: str = PROJECT) -> str | None:
    """The text of the firmware's partitions.csv; None where the sources are not at hand."""
    try:
        return (firmware_sources() / project / "partitions.csv").read_text(encoding="utf-8")
    except (MissingError, OSError):
        return None


def cached_build(chip: Chip, project: str = PROJECT) -> Path:
    """Where the build for `chip` is kept: $XDG_CACHE_HOME/edgehar/firmware/VERSION/CHIP (default ~/.cache).

    A tag's lies in PROJECT-CHIP beside it.
    """
    return cache_root() / (chip.name if project == PROJECT else f"{project}-{chip.name}")


def cache_root() -> Path:
    """Builds of this version of edgehar; another version's firmware may not speak its protocol."""
    named = os.environ.get("XDG_CACHE_HOME")
    home = Path(named) if named else Path.home() / ".cache"
    return home / "edgehar" / "firmware" / edgehar.__version__


def is_built(directory: Path) -> bool:
    """Whether `idf.py` finished a build in `directory`."""
    return (directory / BUILD_FILE).is_file()


def build_command(
    chip: Chip, build: Path, program: str = "auto", project: str = PROJECT, additions: Additions = NOTHING
) -> list[str]:
    """The command that builds the firmware `project` for `chip` into the directory `build`.

    `program`: idf.py, docker, podman or auto, the first of them that is installed. Raises MissingError where none is.
    """
    if program == "auto":
        found = next((name for name in PROGRAMS if shutil.which(name)), None)
        if found is None:
            container = container_line(chip, build, "podman", project, additions)
            raise MissingError(
                f"none of {', '.join(PROGRAMS)} is installed, and one of them is needed to build firmware",
                reason=Reason.NOT_INSTALLED,
                hint=f"apt-get install podman, then: {container}; or ESP-IDF: {INSTALL}",
            )
        program = found
    if program not in PROGRAMS:
        raise UsageError(
            f"firmware is not built with {program!r}", reason=Reason.UNKNOWN_NAME, hint=f"one of {', '.join(PROGRAMS)}"
        )
    if program == "idf.py":
        return _idf_command(chip, str(build), project, additions)
    # Podman maps root in the container to the user outside; docker does not, and would leave files of root's.
    user = ["--user", f"{os.getuid()}:{os.getgid()}"] if program == "docker" and hasattr(os, "getuid") else []
    idf = shlex.join(_idf_command(chip, "/build", project, additions))
    inside = f"rm -rf /build/{SOURCES} && cp -R /firmware /build/{SOURCES} && {idf}"
    return [
        *(program, "run", "--rm", *user, "--env", "HOME=/tmp"),
        *("--volume", f"{firmware_sources()}:/firmware:ro", "--volume", f"{build}:/build"),
        *(CONTAINER, "bash", "-c", inside),
    ]


def container_line(
    chip: Chip, build: Path, program: str = "docker", project: str = PROJECT, additions: Additions = NOTHING
) -> str:
    """One line for a shell that builds the firmware in Espressif's container, without edgehar's help."""
    command = build_command(chip, build, program, project, additions)
    return f"mkdir -p {shlex.quote(str(build))} && {shlex.join(command)}"


def keep_bmi270_source(file: Path, build: Path) -> None:
    """Put Bosch's bmi270.c, which holds the BMI270's configuration file, where the build takes it from.

    Raises MissingError where there is none, InputError where it is another file.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingError(f"--bmi270 {file}: {error.strerror}", reason=Reason.NOT_FOUND, hint=BMI270_HINT) from None
    except UnicodeDecodeError:
        text = ""
    if BMI270_ARRAY not in text:
        raise InputError(f"--bmi270 {file}: has no {BMI270_ARRAY}", reason=Reason.FORMAT, hint=BMI270_HINT)
    build.mkdir(parents=True, exist_ok=True)
    (build / BMI270_SOURCE).write_text(text, encoding="utf-8")


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


def _idf_command(chip: Chip, build: str, project: str, additions: Additions) -> list[str]:
    # The configuration lies with the build, so that chips do not share one.
    place, configuration = f"{build}/{SOURCES}/{project}", f"-DSDKCONFIG={build}/sdkconfig"
    defined = [f"-DIDF_TARGET={chip.name}", configuration, *additions.definitions(project, build)]
    return ["idf.py", "-C", place, "-B", build, *defined, "build"]
