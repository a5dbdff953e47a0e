"""The list of alerts is closed: each is raised somewhere, and each has its section for the operator."""

from __future__ import annotations

import ast
import re
from collections.abc import Set
from pathlib import Path
from string import Formatter

import pytest

from firehose import alerts
from firehose.alerts import catalogue
from firehose.alerts.catalogue import ALERTS, Alert, Severity

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
    told = alert.notice({"batch": "b"}, **values)
    assert told.runbook == f"docs/operations.md#{alert.runbook}" and told.text
    assert "{" not in told.title + told.text


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_task_raises_it(name: str) -> None:
    """A DAG or plugin sends it, or calls a function of the alerts that does."""
    raising = {
        function.name
        for function in ast.walk(ast.parse(Path(str(alerts.__file__)).read_text()))
        if isinstance(function, ast.FunctionDef) and f"catalogue.{name}" in ast.unparse(function)
    }
    files = [path for folder in ("dags", "plugins") for path in (ROOT / folder).glob("*.py")]
    assert any(raises(path.read_text(), name, raising) for path in files), (
        f"no task of dags/ or hook of plugins/ sends catalogue.{name}, or calls any of {raising}"
    )


def raises(source: str, name: str, functions: Set[str]) -> bool:
    """Whether a file sends the alert ``name``, or uses one of ``functions``, which do."""
    nodes = list(ast.walk(ast.parse(source)))
    sent = any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("send", "alerts.send")
        and any(ast.unparse(value) == f"catalogue.{name}" for value in node.args)
        for node in nodes
    )
    return sent or bool({node.id for node in nodes if isinstance(node, ast.Name)} & functions)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("send(load(), catalogue.GAP, {}, send_mail)", True),
        ("alerts.send(load(), catalogue.GAP, {}, send_mail)", True),
        ("tell = partial(report_gaps, load())", True),
        ("send(load(), catalogue.BAD_DATA, {}, send_mail)", False),
        ("log.warning(catalogue.GAP.title)", False),
    ],
)
def test_a_task_may_send_it_itself(task: str, told: bool) -> None:
    assert raises(task, "GAP", {"report_gaps"}) is told


def test_the_list_is_closed() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS) == len(CONSTANTS) > 0
    sources = [path for folder in ("include", "dags", "plugins") for path in (ROOT / folder).rglob("*.py")]
    made = [path.name for path in sources if re.search(r"\b(Alert|Notice)\(", path.read_text())]
    assert made == ["catalogue.py"], "and nothing else is an alert"
