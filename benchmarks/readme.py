"""Put the result rows into README.md, between `<!-- table:NAME begin -->` and `<!-- table:NAME end -->`.

    python benchmarks/readme.py [--check]

--check writes nothing and exits with 1 where README.md does not show what results/ holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rows import RESULTS, ROOT, read_rows

README = ROOT / "README.md"
NAMES = {"rf": "random forest", "gru": "GRU", "cnn": "CNN", "dscnn": "DS-CNN", "fastgrnn": "FastGRNN", "l2mu": "L2MU"}
Rows = Mapping[str, Mapping[str, Any]]


def main() -> int:
    """Rewrite README.md, or compare; the exit code says whether it differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    given = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = filled(old, RESULTS)
    if given.check:
        return int(old != new)
    README.write_text(new, encoding="utf-8")
    return 0


def filled(text: str, results: Path) -> str:
    """The text with every marked table rebuilt; a table without result rows says so."""
    for name, build in TABLES.items():
        rows = read_rows(results / f"{name}.jsonl")
        table = build(rows) if rows else "*Not measured yet.*"
        begin, end = f"<!-- table:{name} begin -->\n", f"<!-- table:{name} end -->"
        before, marked, rest = text.partition(begin)
        if marked:
            text = before + begin + table + "\n" + end + rest.partition(end)[2]
    return text


def accuracy_table(rows: Rows) -> str:
    """One line per row, tasks together, the best first within a task."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        tasks.setdefault(row["title"], []).append(row)
    lines = []
    for title, group in sorted(tasks.items(), key=lambda item: item[1][0]["id"]):
        for number, row in enumerate(sorted(group, key=lambda row: -row["value"])):
            lines.append([title if number == 0 else "", *accuracy_cells(row)])
    head = ("task", "model", "accuracy %", "macro F1 %", "parameters", "runs", "training", "row")
    return markdown(head, lines)


def accuracy_cells(row: Mapping[str, Any]) -> list[str]:
    """The cells of one accuracy row after its task; stamps and spike rates stand beside the model's name."""
    model = " ".join([NAMES.get(row["model"], row["model"]), *(f"`{stamp}`" for stamp in row.get("stamps", ()))])
    if row.get("rates"):
        model += " (spikes %: " + ", ".join(f"{name} {100 * rate:.1f}" for name, rate in row["rates"].items()) + ")"
    return [
        model,
        f"{row['value']:.2f} ± {row['std']:.2f}",
        f"{row['macro_f1']:.2f}" if "macro_f1" in row else "",
        f"{row['parameters']:,}" if "parameters" in row else "",
        str(row["n"]),
        duration(row["seconds"]),
        f"`{row['id']}`",
    ]


def duration(seconds: float) -> str:
    """Time in the unit that suits it."""
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def markdown(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table; numbers from the third column on stand to the right."""
    names = list(head)
    rule = ["---", "---", *["--:"] * (len(names) - 3), "---"]
    return "\n".join("| " + " | ".join(line) + " |" for line in (names, rule, *lines))


TABLES: Mapping[str, Callable[[Rows], str]] = {"accuracy": accuracy_table}


if __name__ == "__main__":
    sys.exit(main())
