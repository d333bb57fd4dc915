"""A bundle as a C module: `emit_c` is the way in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgehar.bundle import Bundle
from edgehar.export.c.files import write_directory
from edgehar.export.c.model import Module, render
from edgehar.export.c.products import Options

EXTRAS = ("main.c", "CMakeLists.txt", "README.md")
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
    replace: bool = False,
) -> CExport:
    """Write the C module of `bundle` into the directory `out_dir`, whole or not at all.

    `layouts`: how matrices are stored, by tensor name or "*" for all: auto, dense, entries, bitmap, blocks. `events`:
    spikes are lists of neurons rather than flags. `float32`: in floats although the bundle is quantised.

    Raises UsageError for an operation that C lacks and for an `out_dir` that holds something (unless `replace`).
    """
    module = render(bundle, Options(layouts or {}, events), float32=float32)
    write_directory(out_dir, {n: text.encode() for n, text in files_of(module).items()}, replace=replace)
    return CExport(out_dir, tuple(out_dir / name for name in SOURCES), module)


def files_of(module: Module) -> dict[str, str]:
    """Everything that a build needs: the model, the headers that it includes, the stream and the example."""
    files = dict(module.files)
    wanted = [*SOURCES[1:], *EXTRAS]
    seen = set(wanted)
    texts = list(files.values())
    while wanted or texts:
        for text in texts:
            for name in re.findall(r'#include "(\w+\.h)"', text):
                if name not in files and name not in seen:
                    seen.add(name)
                    wanted.append(name)
        texts = []
        for name in wanted:
            files[name] = runtime_text(name)
            texts.append(files[name])
        wanted = []
    return files


def runtime_text(name: str) -> str:
    """A file of the C runtime that travels with the package."""
    return resources.files("edgehar.export.c").joinpath("runtime", name).read_text(encoding="utf-8")
