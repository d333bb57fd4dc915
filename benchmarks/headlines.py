"""README's tables: the rows by which a reader judges, in words; every row stands in a table of docs/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from page_tables import NAMES, Rows, markdown

Words = Mapping[str, str]

SPEED: Words = MappingProxyType(
    {
        "speed.cnn.hop.vs_litert_f32": "residual CNN, a decision, beside LiteRT (XNNPACK), float32",
        "speed.cnn_int8.hop.vs_litert_int8": "the same in int8, beside LiteRT in int8",
        "speed.fastgrnn80.hop.vs_litert": "FastGRNN of 80 units, a decision, beside LiteRT",
        "speed.fastgrnn80.hop.vs_ort": "beside ONNX Runtime",
        "speed.fastgrnn80.last_sample.vs_litert": "from its last sample to the decision, beside LiteRT's window",
        "speed.l2mu.hop.vs_litert": "spiking L2MU, a decision, beside LiteRT",
        "speed.streams.fastgrnn80": "sensors of 50 Hz that one core serves, FastGRNN of 80 units",
        "speed.start.numba": "from exec of `edgehar run` to its first decision",
        "speed.start.c": "the same with the exported C module",
        "speed.rss.c": "resident memory of that",
    }
)
MCU: Words = MappingProxyType(
    {
        "mcu.m4f.fastgrnn80.int8x16": "FastGRNN of 80 units, int8 weights, int16 states",
        "mcu.m4f.fastgrnn80.block90": "the same with 90 % of its 4x1 blocks zero",
        "mcu.m4f.l2mu_wisdm7.dense": "L2MU trained on WISDM, int8, every 0 and 1 multiplied",
        "mcu.m4f.l2mu_wisdm7.event": "the same, weights added for spikes only",
    }
)
CSI: Words = MappingProxyType(
    {
        "speed.parse.vs_csikit": "ESP32 CSI text to arrays, beside CSIKit",
        "csi.link.921600": "binary frames of 384 values over a serial line of 921,600 baud (text: 67), SIMULATED",
        "csi.capture.1000hz": "capture of 1,000 frames a second for ten minutes, none lost, SIMULATED",
        "csi.faults": "wrong values accepted in ten minutes of bit errors, loss, reboots, unplugging, SIMULATED",
        "csi.kill9": "lost by `kill -9` of a recording, the worst of 50",
    }
)
SMALL = ("compress.har2.fastgrnn.3kb", "compress.uci_har6.int8.16kb")
VARIANT = ": raw stream"
"""In the title of a task that judges another row's bundles on other windows."""


def accuracy_headlines(rows: Rows) -> str:
    """One line per task: its best network, and the random forest on the same people, which may be ahead."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows.values(), key=lambda row: row["id"]):
        if VARIANT not in row["title"] and "TEST-SELECTED" not in row["stamps"]:
            tasks.setdefault(row["title"], []).append(row)
    lines = []
    for title, group in tasks.items():
        networks = [row for row in group if row["model"] != "rf"]
        if networks:
            best = max(networks, key=lambda row: float(row["value"]))
            forest = next((row for row in group if row["model"] == "rf"), None)
            name = " ".join([NAMES.get(best["model"], best["model"]), *(f"`{stamp}`" for stamp in best["stamps"])])
            figures = [*_figures(best), *(["", ""] if forest is None else _figures(forest))]
            lines.append([title, name, *figures, f"`{best['id']}`"])
    head = ("task", "network", "accuracy %", "macro F1 %", "random forest: accuracy %", "macro F1 %", "row")
    return markdown(head, lines)


def _figures(row: Mapping[str, Any]) -> list[str]:
    return [_spread(row), f"{row['macro_f1']:.1f}" if "macro_f1" in row else ""]


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['value']:.2f}" + (f" ± {row['std']:.2f}" if row["n"] > 1 else "")


def small_headlines(rows: Rows) -> str:
    """The small models beside what they were made from."""
    lines = []
    for row in (rows[name] for name in SMALL if name in rows):
        size = f"{row['rodata']:,}"
        lines.append(
            [f"{row['title']}: FastGRNN, {row['scheme']}", _spread(row), f"{row['base']:.2f}", size, row["id"]]
        )
    head = ("model", "accuracy %", "uncompressed %", "bytes of constants", "row")
    return markdown(head, [[*line[:-1], f"`{line[-1]}`"] for line in lines])


def in_words(words: Words) -> Callable[[Rows], str]:
    """A table of the rows that have words, in the words' order."""

    def table(rows: Rows) -> str:
        lines = [[what, _measured(rows[name]), f"`{name}`"] for name, what in words.items() if name in rows]
        return markdown(("what", "measured", "row"), lines)

    return table


def _measured(row: Mapping[str, Any]) -> str:
    if row["unit"] == "x":
        return f"{row['value']:.3g} times faster"
    whole = f"{row['value']:,.0f}" if row["value"] >= 1000 else f"{row['value']:.3g}"
    return f"{whole} {row['unit'].replace('instructions per step', 'instructions a sample')}"


HEADLINES: Mapping[str, Callable[[Rows], str]] = MappingProxyType(
    {
        "accuracy_headlines": accuracy_headlines,
        "small_headlines": small_headlines,
        "speed_headlines": in_words(SPEED),
        "mcu_headlines": in_words(MCU),
        "csi_headlines": in_words(CSI),
    }
)
