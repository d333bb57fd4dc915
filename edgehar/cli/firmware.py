"""`edgehar firmware build`: the firmware from its sources, by ESP-IDF or its container."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer


def firmware(
    action: Annotated[str, typer.Argument(help="build", metavar="ACTION", show_default=False)],
    project: Annotated[
        str, typer.Argument(help="esp32s3_csi, or imu_ble for a tag: an inertial sensor.", metavar="PROJECT")
    ] = "esp32s3_csi",
    *,
    chip: Annotated[str, typer.Option(help="esp32s3, esp32s2, esp32c3, esp32c5, esp32c6 or esp32.")] = "esp32s3",
    out: Annotated[
        Path | None, typer.Option("--out", help="The build directory; left out: the cache that edgehar flash looks in.")
    ] = None,
    program: Annotated[
        str, typer.Option("--with", help="idf.py, docker, podman, or auto: what is installed.")
    ] = "auto",
    bmi270: Annotated[
        Path | None, typer.Option(help="Bosch's bmi270.c, for a tag with a BMI270; edgehar may not bring it.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help="For decisions on a CSI board: what edgehar export --target c --csi-layout LAYOUT wrote."),
    ] = None,
    decisions_only: Annotated[
        bool, typer.Option("--decisions-only", help="With --model: send no frames before a host says start.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command, run nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> int:
    """Build the firmware for a board; no binary comes with edgehar. ESP-IDF 5.x or 6.x, installed or in a container."""
    from edgehar.boards.firmware_build import (
        BMI270_SOURCE,
        TAG_PROJECT,
        Additions,
        build_command,
        build_firmware,
        cached_build,
        container_line,
        keep_bmi270_source,
        project_named,
    )
    from edgehar.boards.firmware_model import KEPT, keep_model, read_model
    from edgehar.boards.flash.chips import chip_named
    from edgehar.boards.flash.firmware import read_build
    from edgehar.errors import MissingError, Reason, UsageError

    if action != "build":
        raise UsageError(f"no action {action!r}", reason=Reason.UNKNOWN_NAME, hint="edgehar firmware build")
    project = project_named(project)
    for_chip = chip_named(chip)
    build = (out or cached_build(for_chip, project)).absolute()
    additions = Additions(bmi270 is not None, model is not None, decisions_only)
    copies: list[list[str]] = []
    if bmi270 is not None:
        if project != TAG_PROJECT:
            raise UsageError(
                "--bmi270", reason=Reason.VALUE, hint=f"edgehar firmware build {TAG_PROJECT} --bmi270 FILE"
            )
        copies.append(["install", "-D", str(bmi270), str(build / BMI270_SOURCE)])
        if not dry_run:
            keep_bmi270_source(bmi270, build)
    if (model is not None and project == TAG_PROJECT) or (decisions_only and model is None):
        option = "--decisions-only" if decisions_only else "--model"
        raise UsageError(
            f"{option} is for a CSI board with a model",
            reason=Reason.VALUE,
            hint=f"edgehar firmware build --model DIR{' --decisions-only' if decisions_only else ''}",
        )
    found = None if model is None else read_model(model, for_chip)
    if found is not None:
        copies.append(["install", "-D", "-t", str(build / KEPT), *map(str, found.sources)])
        if not dry_run:
            keep_model(found, build)
    try:
        command = build_command(for_chip, build, program, project, additions)
    except MissingError as error:
        if not dry_run or error.reason is not Reason.NOT_INSTALLED:
            raise
        told: dict[str, Any] = {"project": project, "chip": chip, "build_dir": str(build)}
        told |= {"model": None if found is None else found.json(), "command": None, "install": error.hint}
        typer.echo(json.dumps(told) if as_json else f"{error}\n  next: {error.hint}")
        return 0
    told = {"project": project, "chip": chip, "build_dir": str(build)}
    told |= {"model": None if found is None else found.json(), "command": command}
    if dry_run:
        line = shlex.join(command)
        if command[0] != "idf.py":
            line = container_line(for_chip, build, command[0], project, additions)
        typer.echo(json.dumps(told) if as_json else " && ".join([*map(shlex.join, copies), line]))
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
        tag = f" --firmware {TAG_PROJECT}" if project == TAG_PROJECT else ""
        typer.echo(f"  next: edgehar flash{tag}" + (f" --build-dir {out}" if out else ""))
    return 0
