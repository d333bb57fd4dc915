"""`edgehar boards`: which boards a model can be exported for, and how much room each gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgehar.boards.boards import Board


def boards(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every field.")] = False,
) -> None:
    """List the boards, their cores, what runs there and the flash and RAM that a model may take."""
    import json

    from edgehar.boards.boards import load_boards

    table = load_boards()
    if as_json:
        typer.echo(json.dumps({name: board.json() for name, board in table.items()}))
        return
    rows = [("NAME", "CORE", "FLASH", "RAM", "RUNS", "BOARD"), *map(_row, table.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(board: Board) -> tuple[str, ...]:
    flash = "with RAM" if board.model_flash_bytes is None else f"{board.model_flash_bytes // 1024} KiB"
    ram = f"{board.model_ram_bytes // 1024} KiB"
    return board.name, board.cpu, flash, ram, " ".join(board.formats), board.title
