"""The documented schema and the cookbook: current, and every query runs on a real lake and finds something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from firehose.batch.interval import Batch
from firehose.events.envelope import Undecodable
from firehose.quality.quarantine import Quarantine, quarantine_path
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cookbook import Recipe, recipes
from firehose.warehouse.summaries import refresh
from scripts.pages import cookbook, schema
from tests.integration.warehouse.lakes import LakeBuilder

DOCS = Path(__file__).parents[3] / "docs"
RENEW = "write the pages again: make docs"


def test_the_schema_page_is_current(client: Client) -> None:
    assert (DOCS / "schema.md").read_text() == schema.page(client), RENEW


def test_every_column_is_explained(client: Client) -> None:
    query = "SELECT table, name FROM system.columns WHERE database IN ('firehose', 'ops') AND comment = ''"
    unexplained = [name for _, name in client.query(query).result_rows]
    # The parts of a Nested take no comment; the view ops.batch_counts explains them.
    assert [name for name in unexplained if not name.startswith("counts.")] == []


def test_the_cookbook_is_current() -> None:
    assert (DOCS / "cookbook.md").read_text() == cookbook.page(), RENEW


@pytest.fixture
def analyst(client: Client, settings: Settings, small_lake: LakeBuilder) -> Client:
    """The analyst's client of a lake that is loaded."""
    refresh(settings)
    return connect(settings, "analyst")


def test_every_statement_for_newcomers_and_operators_runs(
    analyst: Client, client: Client, settings: Settings
) -> None:
    # README's are arguments of a shell command, those of the operator's page lie between backticks.
    newcomers = re.findall(r'firehose query "([^"]+)"', (DOCS.parent / "README.md").read_text())
    operators = re.findall(r"`(SELECT [^`]+)`", (DOCS / "operations.md").read_text())
    assert len(newcomers) >= 2 and len(operators) >= 3
    batch = Batch.parse("20261123T200000Z", 300)
    with Quarantine(batch, quarantine_path(settings.lake_path, batch)) as quarantine:
        quarantine.add_undecodable("posts", [Undecodable("no event", b"x")])
    for statement in [*newcomers, *operators]:
        # The analyst may not read files.
        reader = client if "file('" in statement else analyst
        found = reader.query(statement.replace("'…/", f"'{settings.lake_path}/"))
        assert found.result_rows or "has(langs, 'ja')" in statement or "ops.gaps" in statement, statement


def by_name(name: str) -> Recipe:
    """One recipe."""
    return next(recipe for recipe in recipes() if recipe.name.endswith(name))


def test_followers_taken_back_are_not_gained(analyst: Client) -> None:
    assert analyst.query(by_name("follows_gained").sql).result_rows == [("did:plc:ann", 3, 1, 2)]


def test_the_most_liked_post_comes_with_its_text(analyst: Client) -> None:
    rows = analyst.query(by_name("most_liked_posts").sql).result_rows
    assert rows[0] == (3, "at://did:plc:ann/app.bsky.feed.post/k1", "Coffee, anyone?", "ann.test")


def test_the_accounting_adds_up(analyst: Client) -> None:
    assert {row[-2:] for row in analyst.query(by_name("accounting").sql).result_rows} == {(0, 0)}
