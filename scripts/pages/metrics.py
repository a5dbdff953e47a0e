"""docs/metrics.md: the closed list of metrics as a table.

Must not: the list itself (``firehose/metrics.py``, ``ingester/contract/metrics.py``).
"""

from __future__ import annotations

from typing import Final

from firehose.metrics import METRICS
from ingester.contract.metrics import Metric

_HEAD: Final = """\
# Metrics

Made by `make docs`; do not edit. This is everything that the project counts. A counter is a sum over batches,
backfills or flushes and only rises; a gauge goes up and down. The ingester's are fields of the Redis hash
`firehose:metadata`, in µs or ms where the field's name says so; the others are in what the steps return and in the
lake's manifests and ledger.

| name | type | unit | labels | counted as | meaning |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The text of docs/metrics.md."""
    return _HEAD + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    field = metric.field + "".join(f"<{label}>" for label in metric.labels if metric.field.endswith(":"))
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | `{field}` | {metric.help} |\n"
