"""The tables on compressed models, on microcontrollers and on speed, one line per result row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from page_tables import NAMES, Rows, markdown

Row = Mapping[str, Any]


def compress_table(rows: Rows) -> str:
    """Small models, what int8 costs in accuracy, and how near its logits stay, each beside what it is compared with."""
    lines = []
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        kind, model = row["id"].split(".")[1:3]
        if kind == "int8drop":
            cells = _int8drop(row, model)
        elif kind == "int8rmse":
            cells = _int8rmse(row, model)
        elif kind not in ("gmp", "litert_int8") and "base" in row:
            cells = _small(row)
        else:
            continue
        lines.append([*cells, f"`{row['id']}`"])
    return markdown(("what", "measured", "beside it", "row"), lines)


def litert_table(rows: Rows) -> str:
    """Labels of int8 TFLite files that are the integer graph's, rounded exactly and as TFLite does."""
    lines = []
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        if row["id"].startswith("compress.litert_int8."):
            both = [
                cell
                for mean, worst, enough in (("value", "worst", "enough"), ("tflite", "tflite_worst", "tflite_enough"))
                for cell in (f"{row[mean]:.2f}, {row[worst]:.2f}", f"{row[enough]} of {row['n']}")
            ]
            lines.append([f"{NAMES[row['model']]}: {row['title']}", *both, f"{row['cpu_ratio']:.1f}", f"`{row['id']}`"])
    head = ("model", "exact: mean %, worst %", "pass", "tflite: mean %, worst %", "pass", "time", "row")
    return markdown(head, lines)


PRUNED = ("global", "global_mt", "global_gradual", "uniform", "random")


def prune_table(rows: Rows) -> str:
    """Accuracy of every way to prune to a sparsity, beside the dense network's."""
    lines = []
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        if row["id"].startswith("compress.gmp."):
            cells = [f"{row[k]['mean']:.1f} ± {row[k]['std']:.1f}" if k in row else "-" for k in PRUNED]
            lines.append([f"`{row['id']}`", f"{row['dense']['mean']:.1f}", *cells])
    head = ("accuracy %", "dense", "global", "minimum threshold", "gradual", "uniform", "random")
    return markdown(head, lines)


def _small(row: Row) -> list[str]:
    stamps = "".join(f" `{stamp}`" for stamp in row["stamps"])
    ranks = "" if row["ranks"] is None else f", ranks {', '.join(map(str, row['ranks']))}"
    return [
        f"{row['title']}: FastGRNN, {row['scheme']}{ranks}, {row['rodata']:,} bytes of flash for constants{stamps}",
        f"{row['value']:.2f} ± {row['std']:.2f} %",
        f"uncompressed {row['base']:.2f} %",
    ]


def _int8drop(row: Row, model: str) -> list[str]:
    return [
        f"{row['title']}: points that int8 costs the {NAMES[model]}",
        f"{row['value']:.2f} ± {row['std']:.2f}",
        f"float {row['float']:.2f} %, int8 {row['int8']:.2f} %, int8x16 {row['int8x16']:.2f} %",
    ]


def _int8rmse(row: Row, model: str) -> list[str]:
    return [
        f"int8 TFLite {NAMES[model]} against float: logit rmse (logit rms {row['logit_rms']:.1f})",
        f"{row['value']:.3f} ± {row['std']:.3f}",
        f"AI-Edge-Quantizer {row['aeq']:.3f}, TFLiteConverter {row['tf']:.3f}",
    ]


def mcu_table(rows: Rows) -> str:
    """Instructions per sample on an emulated core, with the bytes of the model's constants and code."""
    lines = [
        [
            f"{row['id'].split('.', 2)[2]}, {row['scheme']}; weights {row['weights']}",
            f"{row['value']:,.0f}",
            f"{row['constant_bytes']:,}",
            f"{row['code_bytes']:,}",
            f"`{row['id']}`",
        ]
        for row in sorted(rows.values(), key=lambda row: row["id"])
    ]
    return markdown(("model", "instructions a sample", "bytes of constants", "bytes of code", "row"), lines)


def runtime_table(rows: Rows) -> str:
    """Ratios to peers in one run with the processor times behind them; then what is not a ratio."""
    lines = []
    for row in sorted(rows.values(), key=lambda row: (row["unit"] != "x", row["id"])):
        times = f"{row['ours_cpu_us']:.1f} / {row['peer_cpu_us']:.1f}" if "peer_cpu_us" in row else ""
        unit = "" if row["unit"] == "x" else f" {row['unit']}"
        lines.append([f"`{row['id']}`", f"{row['value']:g}{unit}", times, row.get("peer", "")])
    return markdown(("row", "measured", "processor us, ours / peer", "setting of the peer"), lines)
