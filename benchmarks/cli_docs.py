"""Writes docs/cli.md from the commands' own help and the boards of docs/export.md: python benchmarks/cli_docs.py.

A test fails when one is stale.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "cli.md"
BOARDS_PAGE = DOCS / "export.md"
BEGIN, END = "<!-- boards begin -->\n", "<!-- boards end -->"

HEAD = """\
# Command line

Made from the commands' own help by `python benchmarks/cli_docs.py`; do not edit. Every command with `--json` prints
JSON on standard output and nothing else there; progress and messages go to standard error.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | a check failed |
| 2 | the command line does not make sense |
| 3 | something is missing: a file, a package, a device, a download |
| 4 | nothing failed, but something was skipped |
| 5 | bad input; the message names file, row or field, and the value |
| 6 | the stream does not match the bundle's contract |
| 7 | the split is leaky |
| 130 | interrupted with Ctrl-C; what was recorded or trained so far is whole |

A command's error is followed by `next:` and what to type. Sources are written `SCHEME:LOCATOR[?k=v&...]` and sinks
`NAME[:PATH]`; [running](run.md) lists them.
"""


def page() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = "100"
    from edgehar.cli.app import COMMANDS

    return HEAD + "".join(f"\n## edgehar {name}\n\n```text\n{help_of(name)}\n```\n" for name in COMMANDS)


def help_of(name: str) -> str:
    """What `edgehar NAME --help` prints."""
    from edgehar.cli.app import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([name, "--help"])
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def boards_table() -> str:
    """Every board with its core, the memory that a model may take, and what runs there."""
    from edgehar.boards.boards import load_boards

    lines = ["| `--board` | board | core | flash | RAM | formats |", "|---|---|---|--:|--:|---|"]
    for name, board in load_boards().items():
        flash = "in RAM" if board.model_flash_bytes is None else f"{board.model_flash_bytes // 1024} KiB"
        formats = "; ".join(f"{kind} {', '.join(dtypes)}" for kind, dtypes in board.formats.items())
        ram = f"{board.model_ram_bytes // 1024} KiB"
        lines.append(f"| `{name}` | {board.title} | {board.cpu} | {flash} | {ram} | {formats} |")
    return "\n".join(lines) + "\n"


def with_boards(text: str) -> str:
    """The text with its marked table rebuilt."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + boards_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    BOARDS_PAGE.write_text(with_boards(BOARDS_PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
