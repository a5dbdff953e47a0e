"""What an analyst joins, groups, sorts and makes distinct may be larger than the memory of its query."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clickhouse_http import EndpointProcess
from clickhouse_http.rights import policy
from devstack.embedded.clickhouse import USERS_XML
from tests.support.endpoint import ANALYST, LOADER, endpoint_settings, running_endpoint

MEMORY = 64 * 2**20
#: Too little for each question in memory: shown by the loader, whose queries do not go to disk.
TOO_LITTLE = 2 * MEMORY
POSTS, LIKES = 2_000_000, 3_000_000
#: A like of each post, and a second one of the first half of them.
LIKED = "cityHash64(number % 2000000)"
SCHEMA = (
    "CREATE DATABASE firehose",
    "CREATE TABLE firehose.posts (post UInt64, number UInt64, uri String) ENGINE = MergeTree ORDER BY number",
    "CREATE TABLE firehose.likes (post UInt64, number UInt64) ENGINE = MergeTree ORDER BY number",
    "INSERT INTO firehose.posts SELECT cityHash64(number) AS post, number, concat('at://did:plc:', hex(post))"
    f" FROM numbers({POSTS})",
    f"INSERT INTO firehose.likes SELECT {LIKED}, number FROM numbers({LIKES})",
)
JOINED = (
    "SELECT count(), sum(posts.number), uniq(uri) > 0 FROM firehose.likes {kind} JOIN firehose.posts USING post"
)
SUM_OF_LIKED = sum(number % POSTS for number in range(LIKES))
QUESTIONS = {
    "join": (JOINED.format(kind="INNER"), f"{LIKES}\t{SUM_OF_LIKED}\t1\n"),
    "left join": (JOINED.format(kind="LEFT"), f"{LIKES}\t{SUM_OF_LIKED}\t1\n"),
    "full join": (JOINED.format(kind="FULL"), f"{LIKES}\t{SUM_OF_LIKED}\t1\n"),
    "join of texts": (
        "SELECT count(), max(number) FROM firehose.posts JOIN (SELECT uri, number AS other FROM firehose.posts)"
        " AS others USING uri",
        f"{POSTS}\t{POSTS - 1}\n",
    ),
    "join, then group": (
        "SELECT max(likes), count() FROM (SELECT uri, count() AS likes FROM firehose.likes JOIN firehose.posts"
        " USING post GROUP BY uri)",
        f"2\t{POSTS}\n",
    ),
    "group": (
        "SELECT count(), sum(of) FROM (SELECT uri, count() AS of FROM firehose.posts GROUP BY uri)",
        f"{POSTS}\t{POSTS}\n",
    ),
    "distinct": ("SELECT count() FROM (SELECT DISTINCT uri FROM firehose.posts)", f"{POSTS}\n"),
}
#: The engine needs more than a few mebibytes to write groups in parts, and to merge them.
NEEDS = {"group": TOO_LITTLE, "distinct": TOO_LITTLE}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    settings = endpoint_settings(tmp_path_factory.mktemp("spilling"), query_max_seconds=600)
    with running_endpoint(settings, *SCHEMA) as running:
        yield running


def ask(running: EndpointProcess, query: str, user: tuple[str, str], memory: int) -> httpx.Response:
    """The answer to ``query``, which is granted ``memory`` bytes."""
    return httpx.post(running.url, content=query, auth=user, params={"max_memory_usage": str(memory)}, timeout=600)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("question", QUESTIONS)
def test_more_than_the_memory_goes_to_disk(stored: EndpointProcess, question: str) -> None:
    query, answer = QUESTIONS[question]
    in_memory = ask(stored, query, LOADER, TOO_LITTLE)
    assert in_memory.headers.get("x-clickhouse-exception-code") == "241"
    asked = ask(stored, query, ANALYST, NEEDS.get(question, MEMORY))
    assert asked.text == answer


def test_the_part_that_is_kept_in_memory_follows_the_grant(stored: EndpointProcess) -> None:
    """As the file for a server says, in the same proportion; and an analyst cannot change it, up or down."""
    of_file = policy.load(USERS_XML).values
    threshold = "max_bytes_before_external_join"
    part = int(of_file[threshold]) * MEMORY // int(of_file["max_memory_usage"])
    read = f"SELECT getSetting('{threshold}')"
    assert ask(stored, read, ANALYST, MEMORY).text == f"{part}\n"
    assert ask(stored, read, ANALYST, 2 * MEMORY).text == f"{2 * part}\n"
    for value in (0, 1, part + 1):
        refused = ask(stored, f"SELECT 1 SETTINGS {threshold} = {value}", ANALYST, MEMORY)
        assert refused.headers.get("x-clickhouse-exception-code") == "452", value


def test_a_session_goes_to_disk_by_what_its_present_query_was_granted(tmp_path: Path) -> None:
    read = "SELECT getSetting('max_bytes_before_external_join')"
    with running_endpoint(endpoint_settings(tmp_path)) as running:
        answers = [
            httpx.post(
                running.url,
                content=read,
                auth=ANALYST,
                params={"session_id": "one", "max_memory_usage": str(mib * 2**20)},
            ).text
            for mib in (64, 128, 64)
        ]
    assert answers == [f"{mib * 2**20 // 4}\n" for mib in (64, 128, 64)]
