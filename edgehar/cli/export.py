"""`edgehar export`: a bundle's files for the boards and programs that run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

INTERRUPTED = 130


def export(
    bundle: Annotated[Path, typer.Argument(help="The model, a .edgehar file.", show_default=False)],
    *,
    out: Annotated[Path, typer.Option("--out", help="The directory to write, whole or not at all.")],
    target: Annotated[
        list[str] | None, typer.Option(help="tflite, onnx or c; repeat for several. Default: all that --board runs.")
    ] = None,
    board: Annotated[str, typer.Option(help="A board that edgehar boards lists: check that it fits.")] = "",
    dtype: Annotated[
        str, typer.Option(help="float32, dynamic, int8, int8x16, or auto: what the bundle is quantised to.")
    ] = "auto",
    form: Annotated[str, typer.Option(help="Of TFLite and ONNX files: window, step or both.")] = "both",
    rounding: Annotated[
        str, typer.Option(help="Of int8 TFLite files: exact, as the bundle; tflite, as its operators; auto, by board.")
    ] = "auto",
    csi_layout: Annotated[
        str, typer.Option(help="LAYOUT[:FIELD] of a receiver's frames: how its firmware feeds them into the C module.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print export.json's content, nothing else.")] = False,
) -> int:
    """Write a bundle as TFLite, ONNX and C, checked against a board's memory; export.json says what is what."""
    from edgehar.cli.progress import progress
    from edgehar.export import export_bundle

    try:
        with progress("export") as report:
            told = export_bundle(
                bundle,
                out,
                targets=target or (),
                board=board,
                dtype=dtype,
                form=form,
                rounding=rounding,
                csi_layout=csi_layout,
                force=force,
                progress=report,
            )
    except KeyboardInterrupt:
        typer.echo(f"\ninterrupted; nothing was written to {out}", err=True)
        return INTERRUPTED
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(_lines(told, bundle, out)))
    return 0


def _lines(told: dict[str, Any], bundle: Path, out: Path) -> list[str]:
    rows = [("FILE", "FORM", "DTYPE", "FLASH", "RAM", "INPUT")]
    for made in told["exports"]:
        flash, ram = (str(made["needs"][kind]) for kind in ("flash_bytes", "ram_bytes"))
        name = made["files"][0] if len(made["files"]) == 1 else f"{made['target']}/"
        outside = [op["op"] for op in made["preprocess_outside"]]
        entry = f"{len(made['channels'])} channels" + (f" behind {', '.join(outside)}" if outside else "")
        rows.append((name, made["form"], made["dtype"], flash, ram, entry))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"no {gap['form']} file for {gap['target']}: {gap['reason']}" for gap in told["unsupported"]]
    for made in told["exports"]:
        lines += [f"{made['files'][0]} does not run in {name}: {why}" for name, why in made["unsupported"].items()]
    if told["board"]:
        lines.append(f"each fits {told['board']}; FLASH and RAM are bytes, RAM an estimate")
    if told["stamps"]:
        lines.append(f"stamps: {' '.join(told['stamps'])}")
    return [*lines, f"wrote {len(told['files']) + 1} files to {out}", f"  next: edgehar verify {bundle} --export {out}"]
