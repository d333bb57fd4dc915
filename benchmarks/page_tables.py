"""What the tables of all pages share: names of models and the Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAMES = {
    "rf": "random forest",
    "gru": "GRU",
    "cnn": "CNN",
    "csicnn": "CSI CNN",
    "csieffnet": "CSI EfficientNet",
    "dscnn": "DS-CNN",
    "fastgrnn": "FastGRNN",
    "fusion": "fusion",
    "l2mu": "L2MU",
}
Rows = Mapping[str, Mapping[str, Any]]


def markdown(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the columns between the second and the last hold numbers and stand to the right."""
    names = list(head)
    rule = ["---", "---", *["--:"] * (len(names) - 3), "---"]
    return "\n".join("| " + " | ".join(line) + " |" for line in (names, rule, *lines))
