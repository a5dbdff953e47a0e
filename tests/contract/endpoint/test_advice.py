"""Whoever meets a limit is told its setting and what to do, in the last sentence of the error, by every client."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from clickhouse_http import EndpointProcess
from clickhouse_http.engine.table_memory import TableBudget
from clickhouse_http.exceptions import QueryError
from clickhouse_http.handling.advice import Advisor
from clickhouse_http.rights.limits import Limits
from clickhouse_http.sessions.admission import Admission
from devstack.embedded.clickhouse import endpoint_config
from tests.support.command import FIREHOSE
from tests.support.endpoint import ANALYST, LOADER

from .conftest import MakeSettings, connect

ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
GREEDY = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
#: As the loader, since the limit of an analyst is 8 GiB.
TO_DISK = (
    "SELECT count() FROM (SELECT number FROM numbers(3000000) GROUP BY number) "
    "SETTINGS max_bytes_before_external_group_by = 1000000, max_temporary_data_on_disk_size_for_query = 1000000"
)


class Met(NamedTuple):
    """A query that meets a limit: the code of the error, the limit's setting, and a part of what to do."""

    query: str
    code: str
    setting: str
    todo: str
    parameters: Mapping[str, str] = MappingProxyType({})
    user: tuple[str, str] = ANALYST


OF_OWN = "raise it, or narrow its hours (hour_start)"
LIMITS = {
    "memory": Met(GREEDY, "241", "max_memory_usage", "FIREHOSE_QUERY_MAX_MEMORY_MIB"),
    "time": Met(ENDLESS, "159", "max_execution_time", "narrow its hours (hour_start)"),
    "time, by the operator": Met(ENDLESS, "159", "max_execution_time", "raise FIREHOSE_QUERY_MAX_SECONDS"),
    "disk": Met(TO_DISK, "396", "max_temporary_data_on_disk_size_for_query", "ask the operator", {}, LOADER),
    "result": Met("SELECT number FROM numbers(99)", "396", "max_result_rows", "LIMIT", {"max_result_rows": "9"}),
    "rows": Met("SELECT * FROM events", "158", "max_rows_to_read", OF_OWN, {"max_rows_to_read": "9"}),
    "bytes": Met("SELECT * FROM events", "307", "max_rows_to_read", OF_OWN, {"max_bytes_to_read": "9"}),
    "groups": Met(
        "SELECT id FROM events GROUP BY id", "158", "max_rows_to_group_by", OF_OWN, {"max_rows_to_group_by": "9"}
    ),
    "join": Met(
        "SELECT 1 FROM events JOIN (SELECT id FROM events) AS e USING id",
        "191",
        "max_rows_in_join",
        OF_OWN,
        {"max_rows_in_join": "9"},
    ),
    "query size": Met(f"SELECT 1 -- {'x' * 2**20}", "62", "max_query_size", "external data"),
    "body": Met(f"SELECT 1 -- {'x' * 2**25}", "229", "FIREHOSE_HTTP_MAX_BODY_MIB", "several requests"),
    "depth": Met(f"SELECT {'(' * 2000}1{')' * 2000}", "306", "max_parser_depth", "temporary table"),
    "elements": Met(f"SELECT {','.join(['1'] * 60_000)}", "168", "max_ast_elements", "temporary table"),
    "read-only": Met("CREATE TABLE t (a UInt8) ENGINE = Memory", "164", "readonly", "temporary table"),
    "range": Met("SELECT 1 SETTINGS max_threads = 1000", "452", "range of this setting", "operator"),
    "no right": Met(
        "SELECT 1 SETTINGS max_bytes_before_external_join = 1", "452", "range", "leave the setting out"
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_last_sentence_names_the_limit_and_what_to_do(endpoint: EndpointProcess, limit: str) -> None:
    met = LIMITS[limit]
    response = httpx.post(endpoint.url, params=met.parameters, content=met.query, auth=met.user, timeout=60)
    (text,) = [line for line in response.text.splitlines() if line.startswith("Code: ")][-1:]
    assert text.startswith(f"Code: {met.code}. ")
    advice = text.rpartition(" (version ")[2].partition(") ")[2]
    assert advice.startswith("The limit is ") and advice.endswith("."), text
    assert met.setting in advice and met.todo in advice


def test_an_error_in_the_middle_of_a_result_has_it_too(analyst: httpx.Client) -> None:
    end = b""
    with (
        suppress(httpx.RemoteProtocolError),  # a broken result has no last chunk
        analyst.stream("POST", "/", content="SELECT number FROM system.numbers") as response,
    ):
        for piece in response.iter_bytes():
            end = (end + piece)[-2048:]
    assert b"The limit is max_execution_time: " in end


def test_no_other_error_has_such_a_sentence(analyst: httpx.Client) -> None:
    for query in ("SELECT", "SELECT nothing", "SELECT * FROM nowhere", "SELECT throwIf(1)"):
        assert "The limit is" not in analyst.post("/", content=query).text


def test_clickhouse_connect_shows_it(endpoint: EndpointProcess) -> None:
    client = connect(endpoint.url, ANALYST)
    with pytest.raises(DatabaseError, match=r"The limit is max_memory_usage: .*FIREHOSE_QUERY_MAX_MEMORY_MIB"):
        client.query(GREEDY)
    client.close()


def test_the_command_shows_it_in_its_one_line(endpoint: EndpointProcess) -> None:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("FIREHOSE_")},
        "FIREHOSE_CLICKHOUSE_URL": endpoint.url,
        "FIREHOSE_CLICKHOUSE_ANALYST_PASSWORD": ANALYST[1],
    }
    command = [FIREHOSE, "query", GREEDY]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "The limit is max_memory_usage: narrow its hours" in line
    assert line.endswith("up to FIREHOSE_QUERY_MAX_MEMORY_MIB, which the operator can raise.")


def test_memory_that_others_have(make_settings: MakeSettings) -> None:
    limits = Limits(memory_mib=64, seconds=1, total_mib=256)
    admission = Admission(limits, TableBudget(limits, ("loader", "analyst")))

    async def met() -> QueryError:
        async with admission.memory("analyst", str(2**27)), admission.memory("analyst", str(2**26)):
            with pytest.raises(QueryError) as refused:
                async with admission.memory("analyst", None, wait_s=0.01):
                    pass
        return refused.value

    sentence = Advisor(endpoint_config(make_settings())).sentence(asyncio.run(met()))
    assert sentence.startswith("The limit is FIREHOSE_QUERY_TOTAL_MEMORY_MIB: wait until")
