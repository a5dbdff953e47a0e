"""docs/metrics.md: the closed lists of metrics and of paths of losses, as tables.

Must not: the lists themselves (``firehose/metrics.py``, ``firehose/observed.py``, ``clickhouse_http/metrics.py``,
and ``metrics.py`` and ``losses.py`` of ``ingester/contract``).
"""

from __future__ import annotations

from typing import Final

from clickhouse_http import metrics as of_endpoint
from firehose.exporter.look import BY_LOOKING
from firehose.exporter.sums import SUMMED
from firehose.metrics import LOSS_METRICS, METRICS, OF_STEPS
from firehose.observed import OF_DRAINS
from ingester.contract.losses import LossPath
from ingester.contract.metrics import OF_METADATA, By, Metric

_HEAD: Final = """\
# Metrics

Made by `make docs`; do not edit. This is everything that the project counts. Who reads it, and how it is set
up, is in [operations](operations.md#metrics-and-dashboards).

A counter only rises; a gauge goes up and down. *Exported by*: the `exporter` (`firehose metrics serve`), the
`ingester` or the `endpoint` (the embedded ClickHouse) from their own process, or `each` of them. *Counted
as*: the field that counts, and where it is:

- `metadata`: the Redis hash `firehose:metadata`, which the ingester writes with each flush and which outlives
  it; in µs or ms where the field's name says so;
- `files`: manifests and ledger entries, which the exporter sums ([how](operations.md#how-counters-rise));
- `counts`: the Redis hash `firehose:counts`, to which a step's result is added when it is done; it starts at
  0 again if Redis is lost;
- `now`: measured when it is looked at; `process`: counted by a process, from 0 on.

| name | type | unit | labels | exported by | counted as | meaning |
|---|---|---|---|---|---|---|
"""

_LOSSES: Final = """
## Paths of losses

Every path on which an event or a span of time is dropped, set aside, skipped or called a duplicate.
`tests/unit/losses` finds the places in the source and fails for one that is not in its list; it names for
each path the test that takes it and sees its counter rise.

| path | counted by | meaning |
|---|---|---|
"""


def page() -> str:
    """The text of docs/metrics.md."""
    rows = "".join(map(_row, METRICS)) + "".join(map(_endpoint_row, of_endpoint.METRICS))
    return _HEAD + rows + _LOSSES + "".join(map(_loss_row, LossPath))


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = (f"`{metric.name}`", metric.kind, metric.unit, labels, metric.by, _counted_as(metric), metric.help)
    return f"| {' | '.join(cells)} |\n"


def _counted_as(metric: Metric) -> str:
    field = metric.field + "".join(f"<{label}>" for label in metric.labels if metric.field.endswith(":"))
    said = f", `{field}`" if field else ""
    if metric in OF_METADATA:
        return f"metadata{said}"
    if metric in SUMMED:
        return f"files{said}"
    if metric in (*OF_STEPS, *OF_DRAINS) and metric not in BY_LOOKING:
        return f"counts{said}"
    return "now" if metric.by is By.EXPORTER else "process"


def _endpoint_row(metric: of_endpoint.Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = (f"`{metric.name}`", metric.kind, metric.unit, labels, By.ENDPOINT, "process", metric.help)
    return f"| {' | '.join(cells)} |\n"


def _loss_row(path: LossPath) -> str:
    metric = LOSS_METRICS[path]
    label = f'{{path="{path.code}"}}' if "path" in metric.labels else ""
    return f"| `{path.code}` | `{metric.name}{label}` | {path.meaning} |\n"
