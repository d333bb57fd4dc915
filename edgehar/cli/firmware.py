"""`edgehar firmware build`: the firmware from its sources, by ESP-IDF or its container."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer


def firmware(
    action: Annotated[str, typer.Argument(help="build", metavar="ACTION", show_default=False)],
    *,
    chip: Annotated[str, typer.Option(help="esp32s3, esp32s2, esp32c3, esp32c5, esp32c6 or esp32.")] = "esp32s3",
    out: Annotated[
        Path | None, typer.Option("--out", help="The build directory; left out: the cache that edgehar flash looks in.")
    ] = None,
    program: Annotated[
        str, typer.Option("--with", help="idf.py, docker, podman, or auto: what is installed.")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command, run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Build the firmware for a board; no binary comes with edgehar. ESP-IDF 5.x or 6.x, installed or in a container."""
    from edgehar.boards.firmware_build import build_command, build_firmware, cached_build, container_line
    from edgehar.boards.flash.chips import chip_named
    from edgehar.boards.flash.firmware import read_build
    from edgehar.errors import MissingError, Reason, UsageError

    if action != "build":
        raise UsageError(f"no action {action!r}", reason=Reason.UNKNOWN_NAME, hint="edgehar firmware build")
    for_chip = chip_named(chip)
    build = (out or cached_build(for_chip)).absolute()
    try:
        command = build_command(for_chip, build, program)
    except MissingError as error:
        if not dry_run or error.reason is not Reason.NOT_INSTALLED:
            raise
        told: dict[str, Any] = {"chip": chip, "build_dir": str(build), "command": None, "install": error.hint}
        typer.echo(json.dumps(told) if as_json else f"{error}\n  next: {error.hint}")
        return 0
    told = {"chip": chip, "build_dir": str(build), "command": command}
    if dry_run:
        line = shlex.join(command) if command[0] == "idf.py" else container_line(for_chip, build, command[0])
        typer.echo(json.dumps(told) if as_json else line)
        return 0
    build_firmware(command, build)
    made = read_build(build, None)
    made.check(for_chip, 0)
    image = made.application
    told |= {"project": image.project, "version": image.version, "idf_version": image.idf_version}
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"built {image.project} {image.version} for the {for_chip.title} with ESP-IDF {image.idf_version}")
        typer.echo("  next: edgehar flash" + (f" --build-dir {out}" if out else ""))
    return 0
