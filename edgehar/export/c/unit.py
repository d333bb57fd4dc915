"""One C translation unit under construction: constants, fields of the state and of the scratch, lines of functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.export.c import literals

Array = NDArray[Any]
TRACE_KINDS = {"int8_t": "b", "int16_t": "h", "int32_t": "i", "float": "f"}
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Vector:
    """Where a tensor lives in C: an array `expr` of `size` elements, or a list of events with its length in `count`."""

    expr: str
    ctype: str
    size: int
    count: str = ""

    @property
    def is_events(self) -> bool:
        return bool(self.count)


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a struct; size 0 is a single value."""

    ctype: str
    name: str
    size: int

    def declare(self) -> str:
        return f"{self.ctype} {self.name}[{self.size}] EH_ALIGNED;" if self.size else f"{self.ctype} {self.name};"


class Unit:
    """What the emitters write into; `lines` is the function that is open."""

    def __init__(self) -> None:
        self.constants: dict[str, Array] = {}
        self.notes: dict[str, str] = {}
        self.state: list[Field] = []
        self.scratch: dict[str, Field] = {}
        self.started: list[str] = []
        self.lines: list[str] = []
        self.includes: set[str] = set()
        self._names: dict[str, str] = {}

    # --- constants ----------------------------------------------------------------------------------------------

    def constant(self, name: str, value: Array, note: str = "") -> str:
        """An array in flash; the identifier. A second call with the same name shares the first one's array."""
        self.constants[name] = np.atleast_1d(value).ravel()
        if note:
            self.notes[name] = note
        return self.identifier(name)

    def indexed(self, name: str, value: Array, index: str) -> str:
        """`value` [1] as a scalar constant, or the element `index` of the array."""
        flat = np.ravel(value)
        if flat.size == 1:
            self.constants[name] = flat.reshape(())
            return self.identifier(name)
        return f"{self.constant(name, flat)}[{index}]"

    def identifier(self, name: str) -> str:
        """The C name of a constant."""
        return f"c_{self._identifier('c', name)}"

    def constants_text(self) -> str:
        """Definitions of all constants."""
        return "\n".join(self._definition(name, value) for name, value in self.constants.items())

    def table_text(self) -> str:
        """The list of all constants by name, for whoever verifies the image."""
        rows = []
        for name, value in self.constants.items():
            address = f"{'&' if value.ndim == 0 else ''}{self.identifier(name)}"
            size = f"{max(1, value.size)} * sizeof({_ctype(value)})"
            rows.append(f"    {{{literals.text(name)}, {address}, {size}}},")
        return "\n".join(rows)

    def raw_constants(self) -> Mapping[str, bytes]:
        """The bytes of every constant as they lie in flash."""
        return {name: _stored(value).tobytes() for name, value in self.constants.items()}

    def _definition(self, name: str, value: Array) -> str:
        c, ctype, note = self.identifier(name), _ctype(value), self.notes.get(name, "")
        about = literals.comment(f"{name}{f': {note}' if note else ''}")
        if value.ndim == 0:
            return f"static const {ctype} {c} = {literals.number(value[()])}; /* {about} */"
        stored = _stored(value)
        aligned = " EH_ALIGNED" if stored.dtype == np.int8 else ""
        return f"/* {about} */\nstatic const {ctype} {c}[{stored.size}]{aligned} = {literals.array(stored)};"

    # --- tensors ------------------------------------------------------------------------------------------------

    def carried(self, name: str, ctype: str, size: int) -> Vector:
        """A tensor that a window carries from sample to sample."""
        return Vector(self.state_field(name, ctype, size), ctype, size)

    def temporary(self, name: str, ctype: str, size: int) -> Vector:
        """A tensor that lives within one step."""
        field = Field(ctype, self._identifier("m", name), size)
        self.scratch[name] = field
        return Vector(f"m->{field.name}", ctype, size)

    def events(self, name: str, size: int, *, carried: bool) -> Vector:
        """Spikes as a list of the neurons that fired."""
        if carried:
            return Vector(
                self.state_field(name, "uint16_t", size), "uint16_t", size, self.state_field(f"{name}_n", "uint16_t", 0)
            )
        listed = self.temporary(name, "uint16_t", size)
        count = Field("uint16_t", self._identifier("m", f"{name}_n"), 0)
        self.scratch[f"{name}_n"] = count
        return Vector(listed.expr, listed.ctype, size, f"m->{count.name}")

    def room(self, name: str, ctype: str, size: int) -> str:
        """Scratch that many operations use; as large as the largest asks for."""
        known = self.scratch.get(name)
        self.scratch[name] = Field(ctype, name, max(size, known.size if known else 0))
        return f"m->{name}"

    def state_field(self, name: str, ctype: str, size: int) -> str:
        """A member of the state; the expression that reads it."""
        field = Field(ctype, self._identifier("s", name), size)
        self.state.append(field)
        return f"s->{field.name}"

    def field_name(self, name: str) -> str:
        """The C name of a member of the state."""
        return self._names[f"s:{name}"]

    # --- code ---------------------------------------------------------------------------------------------------

    def line(self, *lines: str) -> None:
        """Append lines of the function's body."""
        self.lines += [f"    {line}" if line and not line.startswith("#") else line for line in lines]

    def loop(self, index: str, n: int | str, body: Sequence[str]) -> None:
        """A loop over 0 .. n."""
        self.line(f"for (int {index} = 0; {index} < {n}; {index}++) {{", *(f"    {b}" for b in body), "}")

    def trace(self, name: str, v: Vector) -> None:
        """Report a tensor where the model is compiled with EH_TRACE."""
        if v.is_events:
            self.line(f"EH_TRACE_TENSOR({literals.text(name)}, 'e', {v.expr}, {v.count}, {v.size});")
        else:
            kind = TRACE_KINDS[v.ctype]
            self.line(f"EH_TRACE_TENSOR({literals.text(name)}, '{kind}', {v.expr}, {v.size}, {v.size});")

    def _identifier(self, space: str, name: str) -> str:
        key = f"{space}:{name}"
        if key not in self._names:
            taken = [k.partition(":")[2] for k in self._names if k.startswith(f"{space}:")]
            self._names[key] = literals.identifiers([*taken, name])[name]
        return self._names[key]


def _ctype(value: Array) -> str:
    return literals.TYPES[value.dtype.name]


def _stored(value: Array) -> Array:
    """C has no arrays without elements."""
    return np.zeros(1, value.dtype) if value.size == 0 else value
