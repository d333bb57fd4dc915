"""A verification report as JSON and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from edgehar.verify.rules import Verdict
from edgehar.verify.run import Report, Result

COLUMNS = ("TARGET", "STATUS", "MAX ERROR", "AGREE %", ".text", ".rodata", "RAM", "STACK", "INSN/STEP", "INSN/DECISION")


def report_json(report: Report, allow_skip: Iterable[str] = ()) -> dict[str, Any]:
    """One JSON object; `max_err` is in `max_err_unit`, null where nothing ran."""
    return {
        "bundle": report.bundle,
        "model_id": report.model_id,
        "bundle_sha256": report.sha256,
        "windows": report.windows,
        "stamps": list(report.stamps),
        "exit_code": report.exit_code(allow_skip),
        "targets": [_result_json(result) for result in report.results],
    }


def _result_json(result: Result) -> dict[str, Any]:
    v = result.verdict
    return {
        "target": result.target,
        "status": result.status.value,
        "windows": result.windows,
        "max_err": None if v is None else v.max_error,
        "max_err_unit": None if v is None else "logits" if v.absolute else "relative",
        "max_err_lsb": None if v is None else v.lsb,
        "agreement": None if v is None else v.agreement,
        "rule": None if v is None else v.rule.value,
        "detail": list(result.detail),
        **asdict(result.footprint),
    }


def report_lines(report: Report) -> list[str]:
    """What the command prints."""
    head = f"{report.model_id}, {report.windows} golden windows"
    rows = [COLUMNS, *map(_row, report.results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [head + (f"  {' '.join(report.stamps)}" if report.stamps else ""), ""]
    for row, result in zip(rows, [None, *report.results], strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if result is not None:
            lines += [f"    {line}" for text in result.detail for line in text.splitlines()]
    if any(r.footprint.instructions_per_step is not None for r in report.results):
        lines += ["", "INSN: instructions executed in emulation, which are not cycles"]
    if any(r.verdict is not None and r.verdict.absolute for r in report.results):
        lines += ["", "MAX ERROR: in logits; LSB: steps of the target's own integer logits"]
    return lines


def _error(verdict: Verdict) -> str:
    if verdict.absolute and verdict.max_error == 0:
        return "0"
    return f"{verdict.max_error:.1e}" + ("" if verdict.lsb is None else f" ({verdict.lsb:.0f} LSB)")


def _row(result: Result) -> tuple[str, ...]:
    v, f = result.verdict, result.footprint
    error = "" if v is None else _error(v)
    agreement = "" if v is None else f"{100 * v.agreement:.2f}"
    sizes = (f.text_bytes, f.rodata_bytes, f.ram_bytes, f.stack_bytes, f.instructions_per_step)
    numbers = ["" if n is None else f"{n:.0f}" for n in (*sizes, f.instructions_per_decision)]
    return (result.target, result.status.value, error, agreement, *numbers)
