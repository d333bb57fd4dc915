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
    note = f"{stored.rows} x {stored.columns}, {stored.layout}, {stored.bytes} of {w.nbytes} bytes"
    ids = {s: unit.constant(f"{name}.{s}" if s else name, a, note if not s else "") for s, a in stored.arrays.items()}
    rows = -(-stored.rows // 4) * 4 if stored.layout == "blocks" else stored.rows
    wide = int(stored.wide)
    unit.includes.add("eh_dense.h" if stored.layout == "dense" else "eh_sparse.h")
    arguments = {
        "dense": lambda: f"{ids['']}, {x}, {acc}, {rows}, {stored.columns}",
        "bitmap": lambda: f"{ids['']}, {ids['mask']}, {x}, {acc}, {rows}, {stored.columns}",
        "entries": lambda: f"{ids['']}, {ids['columns']}, {ids['counts']}, {wide}, {x}, {acc}, {rows}",
        "blocks": lambda: f"{ids['']}, {ids['columns']}, {ids['counts']}, {wide}, {x}, {acc}, {rows}",
    }[stored.layout]()
    unit.line(f"eh_{stored.layout}{suffix}({arguments});")


def event_product(unit: Unit, name: str, w: NDArray[Any], x: Vector, acc: str, suffix: str = "") -> None:
    """Append acc = w x for spikes x: the sum of the columns of those that fired."""
    note = f"{w.shape[0]} x {w.shape[1]}, column by column for events"
    c = unit.constant(name, matrices.event_columns(w), note)
    unit.includes.add("eh_spikes.h" if not suffix else "eh_spikes_f32.h")
    unit.line(f"eh_events{suffix}({c}, {x.expr}, {x.count}, {acc}, {w.shape[0]});")
