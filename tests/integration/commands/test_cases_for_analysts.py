"""Inputs from the field that were counted wrongly, through `firehose once`, `verify` and the views.

The recordings are not part of the project: the same kinds with own inputs are in tests/integration/warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from devstack.embedded import clickhouse as endpoint
from firehose.settings import Settings
from firehose.warehouse.client import connect
from firehose.warehouse.cookbook import recipes
from ingester.contract.settings import read_settings
from tests.support.command import firehose, once
from tests.support.recorded import SHARED

CASES = SHARED / "cases"
NAMES = ("05-link-domains", "06-hashtags", "09-recreate-same-key", "10-relike", "17-text-search")

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the recorded cases are not part of the project")


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a home that has taken all cases."""
    home = tmp_path_factory.mktemp("cases")
    once(home, *(CASES / f"{name}.jsonl" for name in NAMES))
    assert firehose("verify", "--home", home, home=home).returncode == 0
    with endpoint.start(read_settings(Settings, {"FIREHOSE_HOME": str(home)}, closed=True)) as _:
        yield connect(read_settings(Settings, {"FIREHOSE_HOME": str(home)}, closed=True), "analyst")


def answer(client: Client, name: str) -> list[tuple[object, ...]]:
    """The rows of a recipe."""
    (recipe,) = [recipe for recipe in recipes() if recipe.name == name]
    return [tuple(row) for row in client.query(recipe.sql).result_rows]


def test_no_link_is_lost_and_each_host_is_one(analyst: Client) -> None:
    hosts = analyst.query("SELECT host, posts FROM firehose.link_hosts_by_hour ORDER BY host").result_rows
    names = [
        "[2001:db8::1]",
        "bare",
        "colon",
        "dot",
        "h",
        "mail",
        "scheme",
        "under_score",
        "upper",
        "xn--mller-kva",
    ]
    assert [host for host, _ in hosts] == [name if name[0] == "[" else f"{name}.example" for name in names]
    (written,) = analyst.query("SELECT count() FROM firehose.posts WHERE notEmpty(links)").result_columns[0]
    assert sum(posts for _, posts in hosts) == written


def test_each_tag_is_one_and_none_is_empty(analyst: Client) -> None:
    tags = analyst.query("SELECT tag FROM firehose.hashtags_by_hour ORDER BY tag").result_columns[0]
    assert "" not in tags
    assert {"synth", "café", "strasse", "istanbul", "οδοσ", "ハッシュ", "ガンダム", "한국", "❤"} <= {*tags}
    (synth,) = analyst.query("SELECT posts FROM firehose.hashtags_by_hour WHERE tag = 'synth'").result_columns[0]
    assert synth == 3


def test_followers_posts_and_likes_are_those_that_exist(analyst: Client) -> None:
    gained = [row[3] for row in answer(analyst, "11_follows_gained")]
    assert gained == [1, 1, 1]
    assert answer(analyst, "13_short_lived_posts") == []
    counts = [row[0] for row in answer(analyst, "08_most_liked_posts")]
    assert counts == [4]


def test_words_are_found_whatever_stands_beside_them(analyst: Client) -> None:
    query = (
        "SELECT count() FROM firehose.posts WHERE"
        " has(tokens(normalizeUTF8NFKCCasefold(ifNull(text, '')), 'icu', 'en'), {word:String})"
    )
    for word, posts in (("coffee", 2), ("café", 1), ("猫", 1), ("family", 1)):
        assert analyst.command(query, parameters={"word": word}) == posts
