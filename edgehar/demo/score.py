"""How often the demo was right, and what it says about it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from edgehar.pipeline import Pipeline
from edgehar.sources.base import Source
from edgehar.tally import DecisionTally
from edgehar.types import Activity


class Score:
    """Compares decisions with the truth that their source knows.

    A window counts when one activity fills it from its first sample to its last. A window without a decision (NO_DATA)
    counts as wrong.
    """

    def __init__(self, pipeline: Pipeline, decisions: DecisionTally) -> None:
        self.right: Counter[str] = Counter()
        self.judged: Counter[str] = Counter()
        self._pipeline = pipeline
        self._decisions = decisions
        self._source: Source | None = None

    def watch(self, source: Source) -> None:
        """The source whose decisions come from now on."""
        self._source = source

    def truth(self, activity: Activity) -> str:
        """The true activity of a decision that the pipeline has just made; "" where it is mixed or unknown."""
        made = next((judged for judged in self._pipeline.last_judged if judged.activity is activity), None)
        if made is None or self._source is None:
            return ""
        first, last = (self._source.label_at(t_ns) for t_ns in (made.t0_dev_ns, made.t1_dev_ns))
        return first if first == last else ""

    def add(self, activity: Activity) -> None:
        """Count one decision."""
        truth = self.truth(activity)
        if truth:
            self.judged[truth] += 1
            self.right[truth] += activity.label == truth

    @property
    def accuracy_percent(self) -> float | None:
        """Share of judged decisions that are right; None before the first."""
        total = self.judged.total()
        return 100 * self.right.total() / total if total else None

    def line(self) -> str:
        """The state so far in one line."""
        accuracy = self.accuracy_percent
        p50, p99 = self._decisions.latency_ms(50), self._decisions.latency_ms(99)
        if accuracy is None or p50 is None or p99 is None:
            return ""
        return (
            f"{accuracy:.1f} % of {self.judged.total()} decisions right"
            f"   latency p50 {p50:.2f} ms, p99 {p99:.2f} ms   coverage {100 * self._decisions.coverage:.0f} %"
        )

    def summary(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {
            "accuracy_percent": self.accuracy_percent,
            "judged": self.judged.total(),
            "per_class_percent": {
                label: 100 * self.right[label] / count for label, count in sorted(self.judged.items())
            },
            "decisions": self._decisions.decisions,
            "latency_p50_ms": self._decisions.latency_ms(50),
            "latency_p99_ms": self._decisions.latency_ms(99),
            "coverage": self._decisions.coverage,
        }
