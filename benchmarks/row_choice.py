"""The command line of a benchmark that measures rows by their ids, `ROW_ID... | --all`; where data and caches are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from accuracy import add_places


def row_parser(doc: str | None, known: Sequence[str]) -> argparse.ArgumentParser:
    """A parser to which more options may be added before `chosen_rows`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW_ID", help=", ".join(known))
    parser.add_argument("--all", action="store_true", help="measure every row")
    add_places(parser)
    return parser


def chosen_rows(parser: argparse.ArgumentParser, known: Sequence[str]) -> argparse.Namespace:
    """What was typed; `rows` are known ones, at least one."""
    arguments = parser.parse_args()
    arguments.rows = list(known) if arguments.all else arguments.rows
    if not arguments.rows or set(arguments.rows) - set(known):
        parser.error(f"there are: {', '.join(known)}; name some or give --all")
    return arguments
