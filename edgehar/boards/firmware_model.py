"""A model for the CSI firmware: the C module of a bundle, checked before a build takes it in.

`edgehar export BUNDLE --target c --csi-layout LAYOUT --out DIR` writes it into DIR/c; firmware/infer feeds it frames.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehar.boards.flash.chips import CHIPS, Chip
from edgehar.errors import ContractError, InputError, MissingError, Reason
from edgehar.wire.layouts import Layout, load_layouts
from edgehar.wire.messages import bundle_sha256_begin
from edgehar.wire.schema import schema

INPUT_HEADER = "eh_csi_input.h"
INPUT_FORMAT = 1
"""Of the header; firmware/infer/eh_infer.c takes this one only."""
C_DIRECTORY = "c"
NEEDED = ("eh_model.c", "eh_model.h", "eh_stream.c", "eh_stream.h")
KEPT = "model"
_NUMBER = re.compile(r"#define EH_INPUT_(FORMAT|MODEL|LAYOUT) (0x[0-9A-F]+|\d+)")


@dataclass(frozen=True, slots=True)
class FirmwareModel:
    """`directory` holds the C module; `model` is its bundle as the board's decisions name it; `layout` its frames'."""

    directory: Path
    model: int
    layout: Layout

    @property
    def sources(self) -> list[Path]:
        """Everything that a build needs."""
        return sorted([*self.directory.glob("eh_*.c"), *self.directory.glob("eh_*.h")])

    def json(self) -> dict[str, Any]:
        """For scripts; `model` as `edgehar doctor` prints it."""
        return {"directory": str(self.directory), "model": bundle_sha256_begin(self.model), "layout": self.layout.name}


def read_model(place: Path, chip: Chip) -> FirmwareModel:
    """The C module in `place`, an export or its directory c, for the firmware of `chip`.

    Raises MissingError where there is none for CSI frames, InputError for one that another version of edgehar wrote,
    ContractError where the chip gives no frames of its layout.
    """
    directory = place / C_DIRECTORY if (place / C_DIRECTORY / NEEDED[0]).is_file() else place
    again = f"edgehar export BUNDLE --target c --csi-layout LAYOUT --out {place} --force"
    for name in (INPUT_HEADER, *NEEDED):
        if not (directory / name).is_file():
            raise MissingError(f"--model {place}: {directory / name} is missing", reason=Reason.NOT_FOUND, hint=again)
    text = (directory / INPUT_HEADER).read_text(encoding="utf-8", errors="replace")
    numbers = {name: int(number, 0) for name, number in _NUMBER.findall(text)}
    layout = next((row for row in load_layouts().values() if row.id == numbers.get("LAYOUT")), None)
    if numbers.get("FORMAT") != INPUT_FORMAT or "MODEL" not in numbers or layout is None:
        raise InputError(
            f"{directory / INPUT_HEADER} was written by another version of edgehar", reason=Reason.VERSION, hint=again
        )
    if layout not in layouts_of(chip):
        others = [other.name for other in CHIPS if layout in layouts_of(other)]
        fitting = f"--chip {' or '.join(others)}, or " if others else ""
        names = ", ".join(row.name for row in layouts_of(chip))
        raise ContractError(
            f"{directory / INPUT_HEADER}: the model takes frames of {layout.name}, the {chip.title} gives {names}",
            reason=Reason.CONTRACT,
            hint=f"{fitting}{again}",
        )
    return FirmwareModel(directory, numbers["MODEL"], layout)


def layouts_of(chip: Chip) -> list[Layout]:
    """What the frames of a chip's firmware can be."""
    family = schema().chips[chip.name]
    return [row for row in load_layouts().values() if row.chips == family and not row.only_by_name]


def keep_model(model: FirmwareModel, build: Path) -> None:
    """Put a model's sources where the build in `build` takes them from."""
    place = build / KEPT
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for source in model.sources:
        shutil.copyfile(source, place / source.name)
