"""A bundle as a C module: `emit_c` is the way in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgehar.bundle import Bundle
from edgehar.export.c.model import Module, render
from edgehar.export.c.products import Options
from edgehar.export.directory import write_directory

EXTRAS = ("eh_shared.c", "main.c", "CMakeLists.txt", "README.md")
SOURCES = ("eh_model.c", "eh_stream.c")


@dataclass(frozen=True, slots=True)
class CExport:
    """An export on disk. `sources` compile to the module; `directory` is their include path."""

    directory: Path
    sources: tuple[Path, ...]
    module: Module


def emit_c(
    bundle: Bundle,
    out_dir: Path,
    *,
    layouts: Mapping[str, str] | None = None,
    events: bool = True,
    float32: bool = False,
) -> CExport:
    """Write the C module of `bundle` into the directory `out_dir`, whole or not at all.

    `layouts`: how matrices are stored, by tensor name or "*" for all: auto, dense, entries, bitmap, blocks. `events`:
    spikes are lists of neurons rather than flags. `float32`: in floats although the bundle is quantised.

    Raises UsageError for an operation that C lacks and for an `out_dir` that holds something.
    """
    module = render(bundle, Options(layouts or {}, events), float32=float32)
    write_directory(out_dir, {n: text.encode() for n, text in files_of(module).items()}, force=False)
    return CExport(out_dir, tuple(out_dir / name for name in SOURCES), module)


def files_of(module: Module) -> dict[str, str]:
    """Everything that a build needs: the model, the headers that it includes, the stream and the example."""
    files = dict(module.files)
    new = list(files.values())
    names = [*SOURCES[1:], *EXTRAS]
    while names:
        found = {name: runtime_text(name) for name in names}
        files |= found
        new = [*new, *found.values()]
        included = [name for text in new for name in re.findall(r'#include "(\w+\.h)"', text)]
        names = [name for name in dict.fromkeys(included) if name not in files]
        new = []
    return files


def runtime_text(name: str) -> str:
    """A file of the C runtime that travels with the package."""
    return resources.files("edgehar.export.c").joinpath("runtime", name).read_text(encoding="utf-8")
