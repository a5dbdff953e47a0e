"""What `firehose explain` knows: no error, alert or code is missing, and every place that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import clickhouse_http.exceptions as clickhouse_codes
from clickhouse_http import EndpointError
from clickhouse_http.errors import CannotServe
from firehose.alerts.catalogue import ALERTS
from firehose.errors import FirehoseError
from firehose.settings import SettingsError
from firehose_cli.app import app
from firehose_cli.exit_codes import INGESTER, MEANING, ExitCode
from firehose_cli.explanations.catalogue import entries, found
from firehose_cli.explanations.entry import Entry, Kind
from firehose_cli.explanations.errors import name_of
from ingester import errors as of_ingester
from jetstream_simulator.errors import SimulatorError
from tests.support.modules import import_all

ROOT = Path(__file__).resolve().parents[3]


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(subclasses(below) for below in kind.__subclasses__()))


def test_every_error_that_reaches_a_user_is_explained() -> None:
    import_all("firehose", "firehose_cli", "firehose_ui", "clickhouse_http", "jetstream_simulator", "ingester")
    reach = set().union(*map(subclasses, (FirehoseError, SettingsError, EndpointError, SimulatorError)))
    ours = {kind for kind in reach if not kind.__module__.startswith(("tests.", "devstack.bench"))}
    names = {entry.name for entry in entries() if entry.kind is Kind.ERROR}
    # A subclass that only tells why the endpoint does not start is explained with its base.
    # Nobody waits for the answer of a question that was left.
    assert {kind.__name__ for kind in ours} - names == {"InvalidConfig", "CannotServe", "Left"}
    assert name_of(CannotServe("x")) == "EndpointError"
    assert name_of(ValueError("x")) == ""


def test_every_alert_and_exit_code_is_explained() -> None:
    names = {entry.name for entry in entries()}
    assert {alert.name for alert in ALERTS} <= names
    assert set(MEANING) == set(ExitCode)
    theirs = {value for name, value in vars(of_ingester).items() if name.isupper() and isinstance(value, int)}
    assert set(INGESTER) == theirs


def test_codes_of_clickhouse_have_their_names() -> None:
    known = {value: name for name, value in vars(clickhouse_codes).items() if isinstance(value, int)}
    for entry in entries():
        if entry.kind is Kind.CLICKHOUSE and int(entry.name) in known:
            assert entry.means.startswith(known[int(entry.name)] + ":")


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_entry_helps(entry: Entry) -> None:
    assert len(entry.means) > 15
    assert entry.todo
    if entry.kind is Kind.ERROR:
        assert entry.causes
    if entry.runbook:
        page, _, anchor = entry.runbook.partition("#")
        text = (ROOT / page).read_text(encoding="utf-8")
        assert not anchor or anchor in anchors(text), f"{entry.runbook} is nowhere"


def anchors(text: str) -> set[str]:
    """The places that a link may name: those set by hand, and the headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def test_a_name_is_found_however_it_is_written() -> None:
    assert [entry.name for entry in found("[LakeChanged]")] == ["LakeChanged"]
    assert [entry.name for entry in found("memory_limit_exceeded")] == ["241"]
    assert [entry.name for entry in found("75")] == ["75", "ingester 75"]
    with pytest.raises(FirehoseError, match="did you mean lakechanged"):
        found("LakeChangd")


def test_the_command_prints_what_to_do() -> None:
    said = CliRunner().invoke(app, ["explain", "RawExpired"])
    assert said.exit_code == 0
    assert "To do: nothing is damaged" in said.output
    assert "docs/operations.md#what-is-kept-and-for-how-long" in said.output
    assert len(CliRunner().invoke(app, ["explain", "--json"]).output.splitlines()) == len(entries())
