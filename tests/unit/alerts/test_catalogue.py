"""The list of alerts is closed: each is raised somewhere, and each has its section for the operator."""

from __future__ import annotations

import ast
import re
from datetime import timedelta
from pathlib import Path
from string import Formatter

import pytest

from firehose import alerts
from firehose.alerts import catalogue
from firehose.alerts.alert import Alert, Severity
from firehose.alerts.catalogue import ALERTS
from firehose.monitor import of_objectives
from firehose.monitor.conditions import CONDITIONS
from firehose.monitor.of_objectives import Burn
from firehose.observe import answers
from firehose.settings import Settings
from scripts.pages import alerts as alerts_page

ROOT = Path(__file__).parents[3]
CONSTANTS = {name: value for name, value in vars(catalogue).items() if isinstance(value, Alert)}


def anchors(page: str) -> set[str]:
    """What a link may point to: an anchor, or a heading as GitHub makes an anchor of it."""
    headings = re.findall(r"^#+ (.*)$", page, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', page))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_words_and_a_section_of_the_runbook(alert: Alert) -> None:
    assert re.fullmatch(r"[a-z_]+", alert.name)
    assert alert.severity in Severity
    assert alert.runbook in anchors((ROOT / "docs" / "operations.md").read_text())
    values = {name: 0.5 for _, name, _, _ in Formatter().parse(alert.title + alert.text) if name}
    assert alert.causes, "an operator wants to know where to look first"
    told = alert.notice({"batch": "b"}, **values)
    assert told.runbook == f"docs/operations.md#{alert.runbook}" and told.text
    assert "{" not in told.title + told.text


@pytest.mark.parametrize("name", CONSTANTS)
def test_something_finds_it(name: str) -> None:
    """The monitor has a condition for it, or a task or a callback of Airflow raises it by a function of alerts."""
    if CONSTANTS[name] in {condition.alert for condition in CONDITIONS} | {catalogue.MONITOR_SILENT}:
        return
    raising = {
        function.name
        for function in ast.walk(ast.parse(Path(str(alerts.__file__)).read_text()))
        if isinstance(function, ast.FunctionDef) and f"catalogue.{name}" in ast.unparse(function)
    }
    files = [path for folder in ("dags", "plugins") for path in (ROOT / folder).glob("*.py")]
    named = {
        node.id for path in files for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
    }
    assert raising & named, (
        f"no condition finds {name}, and no task of dags/ or hook of plugins/ calls any of {raising}"
    )


def test_a_threshold_is_a_setting() -> None:
    for alert in ALERTS:
        assert not alert.setting or alert.setting in Settings.__struct_fields__, alert.name


def test_the_page_has_every_alert_as_the_catalogue_has_it() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert alerts_page.table() in page, "write the pages again: make docs"


def test_the_list_is_closed() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS) == len(CONSTANTS) > 0
    sources = [path for folder in ("include", "dags", "plugins") for path in (ROOT / folder).rglob("*.py")]
    made = {path.name for path in sources if re.search(r"= Alert\(\n", path.read_text())}
    assert made == {"catalogue.py"}, "and nothing else is an alert"


@pytest.mark.parametrize(
    ("alert", "burns", "counted_by_s"),
    [
        (catalogue.FRESHNESS, of_objectives.FAST, 0),
        (catalogue.COVERAGE, of_objectives.FAST, 0),
        (catalogue.QUERIES, of_objectives.FAST, answers._SPAN_S),
        (catalogue.SLOWLY, of_objectives.SLOW, answers._SPAN_S),
    ],
)
def test_an_objective_waits_until_its_short_windows_have_forgotten_an_outage(
    alert: Alert, burns: tuple[Burn, ...], counted_by_s: int
) -> None:
    """A window has the whole count that it begins in. What was told by itself is not told by its objective."""
    remembered = timedelta(seconds=max(burn.short for burn in burns) + counted_by_s)
    assert alert.wait >= remembered
