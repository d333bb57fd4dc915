"""`edgehar verify`: does every target compute what the bundle's golden windows say?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def verify(
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    targets: Annotated[
        str, typer.Option(help="Only these: a,b. A name that ends in ':' stands for all of its kind.")
    ] = "",
    export: Annotated[
        Path | None, typer.Option(help="Test the files in this directory (edgehar export --out), not fresh ones.")
    ] = None,
    allow_skip: Annotated[
        list[str] | None,
        typer.Option("--allow-skip", help="A target whose tools may be missing; a,b, or c: for a kind."),
    ] = None,
    windows: Annotated[
        int, typer.Option(help="Run only so many golden windows; fewer than 200 are stamped. 0: all.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> int:
    """Run the golden windows on every target and name what differs. Exit code 1: one failed; 4: one was skipped."""
    from edgehar.cli.progress import progress
    from edgehar.errors import MissingError, Reason
    from edgehar.verify.choose import choose_targets
    from edgehar.verify.damage import open_or_name_damage
    from edgehar.verify.report import report_json, report_lines
    from edgehar.verify.run import verify as run

    chosen = choose_targets(targets)
    allowed = [name for text in allow_skip or [] for name in choose_targets(text)]
    if export is not None and not export.is_dir():
        raise MissingError(
            f"{export}: no such directory",
            reason=Reason.NOT_FOUND,
            hint=f"edgehar export {bundle} --out {export}, or leave --export out for fresh files",
        )
    opened = open_or_name_damage(bundle)
    with progress("verify") as report_progress:
        report = run(opened, str(bundle), chosen, windows=windows or None, exported=export, progress=report_progress)
    typer.echo(json.dumps(report_json(report, allowed)) if as_json else "\n".join(report_lines(report)))
    return report.exit_code(allowed)
