"""The analyst has its share of slots, memory and sessions, and cannot take the loader's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from clickhouse_http import EndpointProcess, exceptions
from clickhouse_http.engine.table_memory import TableBudget
from clickhouse_http.rights.limits import Limits
from clickhouse_http.sessions.admission import SLOTS, Admission
from clickhouse_http.sessions.sessions import MAX_SESSIONS
from tests.support.endpoint import ANALYST, LOADER
from tests.support.waiting import until

from .tools import Repeated, ask, code, endpoint, others_are_served, peak_mib

GREEDY = "SELECT length(groupArray(number)) FROM numbers(1000000000)"
TOTAL_MIB = 1024


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    with endpoint(tmp_path_factory.mktemp("shares"), query_total_memory_mib=TOTAL_MIB) as made:
        yield made


def _processes(running: EndpointProcess, mark: str) -> int:
    query = f"SELECT count() FROM system.processes WHERE position(query, '{mark[:2]}' || '{mark[2:]}') > 0"
    return int(ask(running, query).text)


def test_an_analyst_in_every_slot_leaves_the_loaders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each of them would run until the test is over."""
    slow = "SELECT count() AS slotted FROM numbers(1000000000000) WHERE NOT ignore(sleepEachRow(1))"
    with endpoint(
        tmp_path_factory.mktemp("slots"), query_max_seconds=600, query_total_memory_mib=2 * 64 * SLOTS["analyst"]
    ) as running:
        ended: list[str] = []
        parameters = {"max_block_size": "1", "max_threads": "1", "max_memory_usage": "67108864"}
        threads = [
            threading.Thread(target=lambda: ended.append(code(ask(running, slow, ANALYST, **parameters))))
            for _ in range(SLOTS["analyst"])
        ]
        for thread in threads:
            thread.start()
        until(lambda: _processes(running, "slotted") == SLOTS["analyst"])
        refused = ask(running, "SELECT 1", ANALYST)
        assert code(refused) == str(exceptions.TOO_MANY_SIMULTANEOUS_QUERIES)
        assert f"The limit is {SLOTS['analyst']} queries of all analysts at once, and " in refused.text
        others_are_served(running, lambda: _processes(running, "slotted") == SLOTS["analyst"])
        ask(running, "KILL QUERY WHERE position(query, 'slo' || 'tted') > 0 ASYNC")
        for thread in threads:
            thread.join()
        assert ended == [str(exceptions.QUERY_WAS_CANCELLED)] * SLOTS["analyst"]
        assert ask(running, "SELECT 1", ANALYST).text == "1\n"


def test_greedy_queries_stay_within_the_budget(running: EndpointProcess) -> None:
    """Nothing of what they do is slow enough to be waited for: they run at full speed beside the loader."""
    greedy = ("241", "202")

    def attack() -> None:
        assert code(ask(running, GREEDY, ANALYST)) in greedy

    with Repeated(attack, threads=6) as attacks:
        others_are_served(running, attacks.under_way)
        assert code(ask(running, GREEDY, LOADER)) == "241"
    assert peak_mib(running) < TOTAL_MIB + 512


def test_a_grant_cannot_be_raised(running: EndpointProcess) -> None:
    """Of the analyst's 512 MiB a query gets 128, if it does not ask for more when it comes."""
    most = "SELECT max(number) FROM numbers(10) SETTINGS max_memory_usage = 268435456"
    assert code(ask(running, most, ANALYST)) == "452"
    assert ask(running, most, ANALYST, max_memory_usage="268435456").status_code == 200
    for statement in ("SET profile = 'analyst_256'", "SELECT 1 SETTINGS profile = 'analyst_256'"):
        assert ask(running, statement, ANALYST).status_code != 200
    assert ask(running, "SELECT 1", ANALYST, profile="analyst_256").status_code != 200
    inner = "SELECT * FROM (SELECT getSetting('max_memory_usage') SETTINGS max_memory_usage = 0)"
    assert 0 < int(ask(running, inner, ANALYST).text) <= 128 * 2**20
    whole = "SELECT length(groupArray(number)) FROM numbers(30000000)"  # some 400 MiB
    assert code(ask(running, f"SELECT * FROM ({whole} SETTINGS max_memory_usage = 0)", ANALYST)) == "241"


def test_a_query_waits_for_memory_and_then_runs(running: EndpointProcess) -> None:
    half = {"max_memory_usage": str(256 * 2**20), "max_block_size": "1", "max_execution_time": "2"}
    slow = "SELECT count() AS waited FROM numbers(1000) WHERE NOT ignore(sleepEachRow(0.1))"
    with Repeated(lambda: _check_timeout(ask(running, slow, ANALYST, **half)), threads=2) as holding:
        until(lambda: _processes(running, "waited") == 2)
        assert ask(running, "SELECT 1", ANALYST).text == "1\n"
        assert holding.under_way()


def _check_timeout(answer: httpx.Response) -> None:
    assert code(answer) in ("159", str(exceptions.MEMORY_LIMIT_EXCEEDED))


def test_a_session_keeps_its_own_lower_limit(running: EndpointProcess) -> None:
    session = {"session_id": "modest"}
    read = "SELECT getSetting('max_memory_usage')"
    assert ask(running, read, ANALYST, **session).text == f"{128 * 2**20}\n"
    assert ask(running, "SET max_memory_usage = 100000000", ANALYST, **session).status_code == 200
    for _ in range(2):
        assert ask(running, read, ANALYST, **session).text == "100000000\n"


def test_what_set_leaves_in_a_session_is_bounded(running: EndpointProcess) -> None:
    value = "x" * 200_000
    answers = [ask(running, f"SET param_{name} = '{value}'", ANALYST, session_id="large") for name in ("a", "b")]
    assert [code(answer) for answer in answers] == ["", str(exceptions.LIMIT_EXCEEDED)]


def test_sessions_have_a_number(running: EndpointProcess) -> None:
    """Those that hold nothing give way; those that do are kept, and then no new one begins."""
    assert ask(running, "CREATE TEMPORARY TABLE mine (a UInt8)", session_id="loads").status_code == 200
    for number in range(MAX_SESSIONS + 5):
        assert ask(running, "SELECT 1", ANALYST, session_id=f"empty{number}").text == "1\n"
    for number in range(MAX_SESSIONS + 5):
        last = ask(running, "SET max_threads = 1", ANALYST, session_id=f"kept{number}")
        if last.status_code != 200:
            break
    assert code(last) == str(exceptions.USER_SESSION_LIMIT_EXCEEDED)
    assert ask(running, "SELECT getSetting('max_threads')", ANALYST, session_id="kept0").text == "1\n"
    assert ask(running, "SELECT count() FROM mine", session_id="loads").text == "0\n"


@pytest.mark.parametrize("role", SLOTS)
@pytest.mark.parametrize("wish", [None, "100000000", "0", str(2**40)])
def test_grants_never_exceed_the_share(role: str, wish: str | None) -> None:
    limits = Limits(memory_mib=1000, seconds=1, total_mib=3000)

    async def all_that_there_is() -> list[int]:
        admission, granted = Admission(limits, TableBudget(limits, SLOTS)), list[int]()
        async with AsyncExitStack() as stack:
            with pytest.raises(exceptions.QueryError) as refused:
                for _ in range(100):
                    granted.append(await stack.enter_async_context(admission.memory(role, wish, wait_s=0.01)))
            assert refused.value.code == exceptions.MEMORY_LIMIT_EXCEEDED
        async with admission.memory(role, "0", wait_s=0.01) as all_again:
            assert all_again == limits.sizes(role)[-1]
        return granted

    granted = asyncio.run(all_that_there_is())
    assert 0 < sum(granted) <= limits.share_mib(role)
    assert all(size in limits.sizes(role) for size in granted)
