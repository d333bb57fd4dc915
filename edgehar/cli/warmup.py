"""`edgehar warmup`: compile once, so that no run waits for a compiler."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.warmup import Warmed


def warmup(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE]...", help="Models, .edgehar files. Default: the demo's.", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> None:
    """Compile and keep what models need on this machine: Numba kernels, and the C module exported beside a model."""
    import json
    from dataclasses import asdict

    from edgehar.bundle import open_bundle
    from edgehar.cli.progress import progress
    from edgehar.demo import BUNDLE
    from edgehar.warmup import warm_c, warm_numba

    told = []
    for path in bundles or [BUNDLE]:
        opened = open_bundle(path)
        with progress("compile") as report:
            if report is not None:
                report.say(f"compile {path.name}")
            compiled = (warm_numba(opened), warm_c(opened))
        for made in compiled:
            if made is not None:
                told.append({"bundle": str(path), **asdict(made)})
                if not as_json:
                    typer.echo(f"{path}: {_line(made)}")
    if as_json:
        typer.echo(json.dumps({"warmed": told}))


def _line(made: Warmed) -> str:
    what = "kernels" if made.runtime == "numba" else "library"
    done = f"{made.compiled} compiled" if made.compiled else "all there"
    if made.cache is None:
        return f"{made.runtime} {what} compiled in {made.seconds:.1f} s, but no directory to keep them can be written"
    return f"{made.runtime} {what} {done} in {made.seconds:.1f} s, kept in {made.cache}"
