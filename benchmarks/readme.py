"""Put the result rows into the pages, between `<!-- table:NAME begin -->` and `<!-- table:NAME end -->`.

    python benchmarks/readme.py [--check]

--check writes nothing and exits with 1 where a page does not show what results/ holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fusion_table import fusion_table
from headlines import HEADLINES
from page_tables import NAMES, Rows, markdown
from rows import RESULTS, ROOT, read_rows
from target_tables import compress_table, litert_table, mcu_table, prune_table, runtime_table

DOCS = ("accuracy", "training", "bench", "c-module", "compress", "csi", "csi-training", "export", "fusion", "imu")
PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{page}.md" for page in DOCS))
CSI_SETS = ("fition", "tvat", "uabc")


def main() -> int:
    """Rewrite the pages, or compare; the exit code says whether one differed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    given = parser.parse_args()
    differs = 0
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = filled(old, RESULTS)
        if given.check:
            differs |= int(old != new)
        else:
            page.write_text(new, encoding="utf-8")
    return differs


def filled(text: str, results: Path) -> str:
    """The text with every marked table rebuilt; a table without result rows says so."""
    for name, build in TABLES.items():
        begin, end = f"<!-- table:{name} begin -->\n", f"<!-- table:{name} end -->"
        before, marked, rest = text.partition(begin)
        if marked:
            rows = read_rows(results / f"{HELD_IN.get(name, name)}.jsonl")
            table = build(rows) if rows else "*Not measured yet.*"
            text = before + begin + table + "\n" + end + rest.partition(end)[2]
    return text


def accuracy_table(rows: Rows) -> str:
    """One line per row, tasks together, the best first within a task, what was selected on test data after the others.

    What the random forest of the same task beats says so.
    """
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        tasks.setdefault(row["title"], []).append(row)
    lines = []
    for title, group in sorted(tasks.items(), key=lambda item: item[1][0]["id"]):
        forest = max((row["value"] for row in group if row["model"] == "rf"), default=0.0)
        best_first = sorted(group, key=lambda row: ("TEST-SELECTED" in row["stamps"], -row["value"]))
        for number, row in enumerate(best_first):
            lines.append([title if number == 0 else "", *accuracy_cells(row, forest)])
    head = ("task", "model", "accuracy %", "macro F1 %", "parameters", "runs", "run time", "row")
    return markdown(head, lines)


def csi_accuracy_table(rows: Rows) -> str:
    """The accuracy rows of the CSI sets alone."""
    return accuracy_table({name: row for name, row in rows.items() if name.split(".")[1].startswith(CSI_SETS)})


def accuracy_cells(row: Mapping[str, Any], forest: float) -> list[str]:
    """The cells of one accuracy row after its task; stamps and spike rates stand beside the model's name."""
    model = " ".join([NAMES.get(row["model"], row["model"]), *(f"`{stamp}`" for stamp in row["stamps"])])
    if row["value"] < forest:
        model += ", below the forest"
    if row.get("rates"):
        model += " (spikes %: " + ", ".join(f"{name} {100 * rate:.1f}" for name, rate in row["rates"].items()) + ")"
    return [
        model,
        f"{row['value']:.2f}" + (f" ± {row['std']:.2f}" if row["n"] > 1 else ""),
        f"{row['macro_f1']:.2f}" if "macro_f1" in row else "",
        f"{row['parameters']:,}" if "parameters" in row else "",
        str(row["n"]),
        duration(row["seconds"]),
        f"`{row['id']}`",
    ]


def speed_table(rows: Rows) -> str:
    """Epochs a second of every timed training step, those of one model together, the fastest first."""
    lines = [
        [
            NAMES.get(row["id"].split(".")[1], row["id"]),
            row["id"].split(".")[2].replace("_", " "),
            f"{row['value']:.3g} ± {row['std']:.2g}",
            f"{1 / row['value']:.1f}",
            str(row["batch"]),
            f"`{row['command']}`",
        ]
        for row in sorted(rows.values(), key=lambda row: (row["id"].split(".")[1], -row["value"]))
    ]
    return markdown(("model", "training step", "epochs a processor second", "s an epoch", "batch", "command"), lines)


def ble_table(rows: Rows) -> str:
    """What the Bluetooth stack in a virtual machine lost, and how long a tag that returned was away."""
    lines = [[f"`{row['id']}`", f"{row['value']:g} {row['unit']}", row["notes"]] for row in rows.values()]
    return markdown(("row", "measured", "through"), lines)


def duration(seconds: float) -> str:
    """Time in the unit that suits it."""
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


TABLES: Mapping[str, Callable[[Rows], str]] = {
    "accuracy": accuracy_table,
    "accuracy_csi": csi_accuracy_table,
    "train_speed": speed_table,
    "compress": compress_table,
    "prune": prune_table,
    "litert_int8": litert_table,
    "mcu": mcu_table,
    "speed": runtime_table,
    "csi": runtime_table,
    "ble": ble_table,
    "fusion": fusion_table,
    **HEADLINES,
}
HELD_IN: Mapping[str, str] = {
    "prune": "compress",
    "litert_int8": "compress",
    "accuracy_csi": "accuracy",
    "accuracy_headlines": "accuracy",
    "small_headlines": "compress",
    "speed_headlines": "speed",
    "mcu_headlines": "mcu",
    "csi_headlines": "csi",
}
"""The file of a table's rows, where it is not called as the table."""


if __name__ == "__main__":
    sys.exit(main())
