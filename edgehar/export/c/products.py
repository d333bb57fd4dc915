"""Matrix products in C: which layout, which kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from edgehar.export.c import matrices
from edgehar.export.c.unit import Unit, Vector


@dataclass(frozen=True, slots=True)
class Options:
    """How a model is written. `layouts`: for matrices by name, "*" for the rest; `events`: spikes as lists."""

    layouts: Mapping[str, str] = field(default_factory=dict)
    events: bool = True

    def layout(self, name: str) -> str:
        return self.layouts.get(name, self.layouts.get("*", "auto"))


def product(unit: Unit, options: Options, name: str, w: NDArray[Any], x: str, acc: str, suffix: str = "") -> None:
    """Append acc = w x for the vector expression x; `suffix` names the kernels' type: "" int8, "_f32" float."""
    stored = matrices.store(w, options.layout(name))
    ids = _constants(unit, name, w, stored)
    rows = -(-stored.rows // 4) * 4 if stored.layout == "blocks" else stored.rows
    wide = int(stored.wide)
    unit.includes.add("eh_dense.h" if stored.layout == "dense" else "eh_sparse.h")
    if stored.layout == "dense":
        arguments = f"{ids['']}, {x}, {acc}, {rows}, {stored.columns}"
    elif stored.layout == "bitmap":
        arguments = f"{ids['']}, {ids['mask']}, {x}, {acc}, {rows}, {stored.columns}"
    else:
        arguments = f"{ids['']}, {ids['columns']}, {ids['counts']}, {wide}, {x}, {acc}, {rows}"
    unit.line(f"eh_{stored.layout}{suffix}({arguments});")


def event_product(
    unit: Unit, options: Options, name: str, w: NDArray[Any], x: Vector, acc: str, suffix: str = ""
) -> None:
    """Append acc = w x for spikes x: the sum of the columns of those that fired."""
    stored = matrices.store_events(w, options.layout(name))
    ids = _constants(unit, name, w, stored)
    unit.includes.add("eh_spikes_f32.h" if suffix else "eh_spikes.h")
    if stored.layout == "dense":
        unit.line(f"eh_events{suffix}({ids['']}, {x.expr}, {x.count}, {acc}, {stored.rows});")
    else:
        entries = f"{ids['']}, {ids['rows']}, {ids['starts']}, {int(stored.wide)}"
        unit.line(f"eh_event_entries{suffix}({entries}, {x.expr}, {x.count}, {acc}, {stored.rows});")


def _constants(unit: Unit, name: str, w: NDArray[Any], stored: matrices.Stored) -> dict[str, str]:
    """Identifiers of the arrays of a matrix by suffix; what was chosen is noted beside the weights."""
    note = f"{stored.rows} x {stored.columns}, {stored.layout}, {stored.bytes} of {w.nbytes} bytes"
    return {
        suffix: unit.constant(f"{name}.{suffix}" if suffix else name, array, "" if suffix else note)
        for suffix, array in stored.arrays.items()
    }
