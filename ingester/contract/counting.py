"""Counts of this process, by metric and the value of its label: what a listener exports when it is asked.

Lives here: one table of numbers. Must not: know who reads it, nor do I/O. Counting is one addition, and
nothing waits for it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ingester.contract.metrics import Metric

#: The counts, by metric and label value (empty: the metric has no label).
_COUNTS: Final[Counter[tuple[Metric, str]]] = Counter()


def count(metric: Metric, by: float = 1, label: str = "") -> None:
    """Count ``by`` more of ``metric``. Rare paths and flushes call it, never the loop over events."""
    _COUNTS[metric, label] += by  # type: ignore[assignment]  # seconds are fractions


def counted(metric: Metric) -> dict[str, float]:
    """What has been counted of ``metric``, by the value of its label."""
    return {label: number for (known, label), number in _COUNTS.copy().items() if known == metric}
