"""The table on two sensors: with both of them and with either lost, the fusion beside what one has without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from page_tables import NAMES, Rows, markdown

SITUATIONS = {"both": "both sensors", "wrist_lost": "wrist lost", "leg_lost": "leg lost"}
HEADS = {"both": "all sensors", "wrist_lost": "leg alone", "leg_lost": "wrist alone"}


def fusion_table(rows: Rows) -> str:
    """One line per row, what is heard together, the fusion first."""
    lines = []
    for situation, title in SITUATIONS.items():
        of_situation = [row for name, row in sorted(rows.items()) if name.split(".")[2] == situation]
        for number, row in enumerate(sorted(of_situation, key=lambda row: row["model"] != "fusion")):
            lines.append([title if number == 0 else "", *_cells(row, situation)])
    head = ("what is left", "model", "accuracy %", "over people", "worst person %", "macro F1 %", "runs", "row")
    return markdown(head, lines)


def _cells(row: Mapping[str, Any], situation: str) -> list[str]:
    trained_on = "" if situation == "both" else f" trained on the {HEADS[situation]}"
    model = f"fusion, head on {HEADS[situation]}" if row["model"] == "fusion" else NAMES[row["model"]] + trained_on
    return [
        " ".join([model, *(f"`{stamp}`" for stamp in row["stamps"])]),
        f"{row['value']:.2f}",
        f"± {row['std_subjects']:.2f}",
        f"{row['worst_subject']:.1f}",
        f"{row['macro_f1']:.2f}",
        str(row["n"]),
        f"`{row['id']}`",
    ]
