"""Grafana's dashboards ask for what there is, name no data source, and are those of the list."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from firehose import metrics
from ingester.contract.losses import LossPath
from scripts.pages import dashboards
from tests.integration.monitoring.monitored import INCLUDE, promtool, unknown

FOLDER = INCLUDE / "grafana" / "dashboards"
FILES = sorted(FOLDER.glob("*.json"))
#: Paths that are not expected to be zero, or whose panel asks for something that follows from them.
USUAL = {
    *(LossPath.NOTICE, LossPath.FORGOTTEN, LossPath.SKIPPED_INTERVAL, LossPath.EXPIRED, LossPath.ABSENT),
    *(LossPath.QUARANTINED, LossPath.DUPLICATE, LossPath.DISPLACED, LossPath.GAP, LossPath.NOT_LOADED),
}


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def test_the_files_are_current() -> None:
    assert {path.name: path.read_text() for path in FILES} == dashboards.files(), "write them again: make docs"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_query_asks_for_series_and_labels_of_the_lists(path: Path) -> None:
    asked = [target["expr"] for panel in panels(path) for target in panel["targets"]]
    assert {expression: wrong for expression in asked if (wrong := unknown(expression))} == {}
    assert all("firehose" in expression or "clickhouse_http" in expression for expression in asked)


def test_a_series_or_label_that_is_not_there_is_found() -> None:
    """Otherwise the test above would show nothing."""
    assert unknown("rate(firehose_no_such_total[5m])") == {"firehose_no_such_total"}
    assert unknown('firehose_queue_bytes{type="likes"}') == {"firehose_queue_bytes{type}"}
    assert unknown("sum by (tier) (firehose_queue_bytes)") == {"(tier)"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_data_source_is_named(path: Path) -> None:
    board = json.loads(path.read_text())
    assert [each["type"] for each in board["templating"]["list"]] == ["datasource"]
    used = [panel["datasource"] for panel in board["panels"]]
    used += [target["datasource"] for panel in board["panels"] for target in panel["targets"]]
    assert {source["uid"] for source in used} == {"${datasource}"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_do_not_overlap_and_say_what_they_show(path: Path) -> None:
    cells: set[tuple[int, int]] = set()
    for panel in panels(path):
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells and at["x"] + at["w"] <= 24, panel["title"]
        cells |= own
        assert panel["title"] and panel["description"]


def test_what_should_be_zero_is_on_the_page_for_it() -> None:
    asked = " ".join(
        target["expr"] for panel in panels(FOLDER / "expect-zero.json") for target in panel["targets"]
    )
    absent = {path for path, metric in metrics.LOSS_METRICS.items() if metric.name not in asked}
    assert absent <= USUAL


def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    asked = [target["expr"] for path in FILES for panel in panels(path) for target in panel["targets"]]
    rules = [
        {"record": f"asked:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(asked)
    ]
    path = tmp_path / "asked.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
