"""Grafana's format of a dashboard: panels, how they are placed, and the JSON around them.

Must not: know a query (dashboards.py); name a data source, since that is the variable ``datasource`` of each
dashboard.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

#: Grafana's format, as version 11 writes it.
_SCHEMA: Final = 39
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS: Final = 24


class Panel(NamedTuple):
    """A panel: ``queries`` are expressions with their legends. ``kind``: timeseries, or stat for one number.

    ``worst``: from this value on it is red.
    """

    title: str
    text: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    worst: float | None = None


def one(title: str, text: str, unit: str, expression: str, legend: str = "", worst: float | None = None) -> Panel:
    """A query over time."""
    return Panel(title, text, unit, ((expression, legend),), worst=worst)


def stat(title: str, text: str, unit: str, expression: str, worst: float | None = None) -> Panel:
    """One number."""
    return Panel(title, text, unit, ((expression, ""),), "stat", worst)


def zero(title: str, text: str, expression: str) -> Panel:
    """One number that has to be 0."""
    return Panel(title, text, "short", ((expression, ""),), "stat", 1e-9)


def dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """The whole of it."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": f"firehose-{name}",
        "title": title,
        "tags": ["firehose"],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [source]},
        "links": [{"type": "dashboards", "title": "Firehose", "tags": ["firehose"], "asDropdown": True}],
        "panels": _placed(panels),
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels from left to right, small ones four in a row, others two."""
    found: list[dict[str, Any]] = []
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        w, h = (6, 4) if panel.kind == "stat" else (12, 8)
        if x + w > _COLUMNS or (x and h != height):
            x, y = 0, y + height
        found.append(_panel(number, panel) | {"gridPos": {"x": x, "y": y, "w": w, "h": h}})
        x, height = x + w, h
    return found


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.worst is not None:
        steps.append({"color": "red", "value": round(panel.worst, 9)})
    options = (
        {"reduceOptions": {"calcs": ["lastNotNull"]}} if panel.kind == "stat" else {"tooltip": {"mode": "multi"}}
    )
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }
