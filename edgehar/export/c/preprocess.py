"""A bundle's preprocessing as C, one sample at a time in float32; twin of `edgehar.dsp.graph`, which has float64.

Every chain of operations is a function that takes a sample and gives one, or none while a median waits for its next
neighbour. Only IEEE 754 basic operations are used, so that all CPUs agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgehar.dsp.graph import Preprocess
from edgehar.export.c.unit import Field, Unit
from edgehar.export.preprocess import Operation, emitter_of


def emit_preprocess(unit: Unit, ops: Sequence[Operation], channels: Sequence[str]) -> tuple[str, list[Field], int]:
    """(C functions, members of EhFilters, delay in samples); the functions' constants go into `unit`."""
    made = _Chains(unit)
    made.chain("filters", ops, tuple(channels))
    delay = Preprocess(ops, channels).delay
    text = "\n\n".join(made.functions)
    return f"{text}\n\n{START}", made.fields, delay


START = """\
void eh_filters_start(EhFilters *f)
{
    memset(f, 0, sizeof *f);
}

int eh_filters_push(EhFilters *f, const float *sample, float *x)
{
    return run_filters(f, sample, x);
}"""


class _Chains:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.functions: list[str] = []
        self.fields: list[Field] = []
        self.lines: list[str] = []
        self.known: dict[bytes, str] = {}

    def chain(self, name: str, ops: Sequence[Operation], channels: tuple[str, ...]) -> int:
        """Append the function `run_NAME`; the number of channels that it gives."""
        outer, self.lines = self.lines, []
        x = "x"
        for i, op in enumerate(ops):
            emit = emitter_of(EMITTERS, op, "C")
            before = Preprocess(ops[:i], channels).channels_out
            after = Preprocess(ops[: i + 1], channels).channels_out
            y = f"v{i}"
            self.lines += ["", f"float {y}[{len(after)}];"]
            emit(self, op, before, x, y, f"{name}_{i}")
            x = y
        n = len(Preprocess(ops, channels).channels_out)
        self.lines += ["", *loop(n, f"y[i] = {x}[i];"), "return 1;"]
        body = "\n".join(f"    {line}" if line else "" for line in ["(void)f;", *self.lines])
        head = f"static int run_{name}(EhFilters *f, const float *x, float *y)"
        self.functions.append(f"{head}\n{{\n{body}\n}}")
        self.lines = outer
        return n

    def floats(self, name: str, values: Any) -> str:
        """A float32 array; one with the same values is used again."""
        stored = np.asarray(values, np.float64).astype(np.float32)
        return self.unit.constant(self.known.setdefault(stored.tobytes(), name), stored)

    def each(self, name: str, values: Any) -> str:
        """The value of channel i; a single constant where all channels have the same."""
        stored = np.asarray(values, np.float64).astype(np.float32)
        return (
            self.unit.indexed(name, stored[:1], "")
            if (stored == stored[0]).all()
            else f"{self.floats(name, stored)}[i]"
        )

    def select(self, op: Operation, before: Sequence[str], x: str, y: str, _: str) -> None:
        self.lines += [f"{y}[{i}] = {x}[{before.index(name)}];" for i, name in enumerate(op["channels"])]

    def scale(self, op: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        self.lines += loop(len(before), f"{y}[i] = {x}[i] * {self.each(f'{name}.factors', op['factors'])};")

    def normalize(self, op: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        mean = self.each(f"{name}.mean", op["mean"])
        inverse = self.each(f"{name}.inverse_std", 1.0 / np.asarray(op["std"], np.float64))
        self.lines += loop(len(before), f"{y}[i] = ({x}[i] - {mean}) * {inverse};")

    def compand(self, op: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        self.unit.includes.add("eh_math.h")
        gain = np.asarray(op["gain"], np.float64)
        inverse = self.each(f"{name}.inverse", 1.0 / np.arcsinh(np.where(gain > 0, gain, 1.0)))
        g = self.each(f"{name}.gain", gain)
        self.lines += loop(len(before), f"{y}[i] = {g} > 0.0f ? eh_asinh({g} * {x}[i]) * {inverse} : {x}[i];")

    def rectify(self, _: Operation, before: Sequence[str], x: str, y: str, __: str) -> None:
        self.lines += loop(len(before), f"{y}[i] = {x}[i] < 0.0f ? -{x}[i] : {x}[i];")

    def magnitude(self, op: Operation, before: Sequence[str], x: str, y: str, _: str) -> None:
        self.unit.includes.add("eh_math.h")
        for i, group in enumerate(op["groups"]):
            squares = " + ".join(f"{x}[{k}] * {x}[{k}]" for k in (before.index(name) for name in group))
            self.lines.append(f"{y}[{i}] = eh_sqrt({squares});")

    def median3(self, _: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        self.unit.includes.add("eh_filters.h")
        n = len(before)
        self.fields += [Field("float", name, 2 * n), Field("uint8_t", f"{name}_started", 0)]
        self.lines += [
            *loop(n, f"{y}[i] = eh_median3(f->{name} + 2 * i, {x}[i]);"),
            f"if (!f->{name}_started) {{",
            f"    f->{name}_started = 1u;",
            "    return 0;",
            "}",
        ]

    def sections(self, op: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        self.unit.includes.add("eh_filters.h")
        sos = np.asarray(op["sos"], np.float64)
        rows, n = len(sos), len(before)
        c = self.floats(f"{name}.sos", sos[:, [0, 1, 2, 4, 5]])
        self.fields.append(Field("float", name, 2 * rows * n))
        value = f"eh_sections({c}, {rows}, f->{name} + {2 * rows} * i, {x}[i])"
        self.lines += loop(n, f"{y}[i] = {f'{x}[i] - ' if op['op'] == 'minus_lowpass' else ''}{value};")

    def concat(self, op: Operation, before: Sequence[str], x: str, y: str, name: str) -> None:
        self.lines.append("int ready = 1;" if "int ready = 1;" not in self.lines else "ready = 1;")
        offset = 0
        for i, part in enumerate(op["parts"]):
            width = self.chain(f"{name}_{i}", part, tuple(before))
            self.lines.append(f"ready &= run_{name}_{i}(f, {x}, {y} + {offset});")
            offset += width
        self.lines += ["if (!ready) {", "    return 0;", "}"]


def loop(n: int, body: str) -> list[str]:
    return [f"for (int i = 0; i < {n}; i++) {{", f"    {body}", "}"]


EMITTERS: Mapping[str, Callable[[_Chains, Operation, Sequence[str], str, str, str], None]] = {
    "select": _Chains.select,
    "scale": _Chains.scale,
    "normalize": _Chains.normalize,
    "compand": _Chains.compand,
    "rectify": _Chains.rectify,
    "magnitude": _Chains.magnitude,
    "median3": _Chains.median3,
    "sos": _Chains.sections,
    "minus_lowpass": _Chains.sections,
    "concat": _Chains.concat,
}
