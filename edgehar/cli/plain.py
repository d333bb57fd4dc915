"""`edgehar run` without the parser: a plain command line is read here, because importing Typer and pydantic takes
longer than opening the bundle.

Only what is certain is read. Anything else, from `--help` to a misspelt option, is left to Typer, whose messages and
help stay the only ones; a test holds both to the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPEATED = {"--source": "source", "--sink": "sink", "--base": "base", "--calibration": "calibration"}
SINGLE: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--speed": ("speed", float),
    "--runtime": ("runtime", str),
    "--record": ("record", Path),
    "--duration": ("duration", float),
    "--config": ("config", Path),
    "--align": ("align", str),
    "--wait": ("wait", str),
}


def plain_run(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Keyword arguments of `edgehar.cli.running.run_bundle`; None for anything that Typer should look at."""
    if not arguments or arguments[0] != "run":
        return None
    found: dict[str, Any] = {}
    words = iter(arguments[1:])
    for word in words:
        if word == "--json":
            found["as_json"] = True
            continue
        if not word.startswith("-"):
            if "bundle" in found:
                return None
            found["bundle"] = Path(word)
            continue
        value = next(words, None)
        if value is None or value.startswith("-"):
            return None
        if word in REPEATED:
            found.setdefault(REPEATED[word], []).append(value)
        elif word in SINGLE:
            name, read = SINGLE[word]
            try:
                found[name] = read(value)
            except ValueError:
                return None
        else:
            return None
    return found
