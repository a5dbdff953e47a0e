"""Temporary tables and external data stay within a budget of memory, for all that an analyst can set or send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from clickhouse_http import EndpointProcess, exceptions
from clickhouse_http.engine.table_memory import TableBudget
from clickhouse_http.rights.limits import MIB, Limits
from clickhouse_http.sessions.admission import SLOTS, Admission
from tests.support.endpoint import ANALYST, LOADER
from tests.support.waiting import until

from .tools import ask, code, endpoint

TOTAL_MIB = 1024
#: Of a session and of all: an eighth and a quarter of the analyst's half.
ONE_MIB, ALL_MIB = TOTAL_MIB // 16, TOTAL_MIB // 8
OVER = str(exceptions.MEMORY_LIMIT_EXCEEDED)
#: The session has ended and its table with it, so that the insert would go elsewhere.
GONE = str(exceptions.READONLY)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    with endpoint(tmp_path_factory.mktemp("tables"), query_total_memory_mib=TOTAL_MIB) as made:
        yield made


def _make(running: EndpointProcess, name: str, mib: int, session: str, **parameters: str) -> httpx.Response:
    query = f"CREATE TEMPORARY TABLE {name} AS SELECT number FROM numbers({mib * MIB // 8})"
    return ask(running, query, ANALYST, session_id=session, **parameters)


def _end(running: EndpointProcess, *sessions: str) -> None:
    for session in sessions:
        ask(running, "SELECT 1", ANALYST, session_id=session, close_session="1")


def test_a_session_and_all_sessions_have_a_limit(running: EndpointProcess) -> None:
    assert _make(running, "a", ONE_MIB // 2, "one").status_code == 200
    over = _make(running, "b", ONE_MIB // 2 + 8, "one")
    assert code(over) == OVER
    assert "Dropped, since this statement went over that: b." in over.text
    assert len(over.text.splitlines()) == 1
    assert ask(running, "SHOW TEMPORARY TABLES", ANALYST, session_id="one").text == "a\n"
    # Too much with what is there, and by itself well within what one query may have, which is ONE_MIB as well.
    more = f"INSERT INTO a SELECT number FROM numbers({(ONE_MIB // 2 + 8) * MIB // 8})"
    over = ask(running, more, ANALYST, session_id="one")
    assert code(over) == OVER and "went over that: a." in over.text, over.text  # and not the engine's own limit
    assert ask(running, "SHOW TEMPORARY TABLES", ANALYST, session_id="one").text == ""

    part = ONE_MIB - 16
    names = [f"all{number}" for number in range(ALL_MIB // part + 1)]
    made = [code(_make(running, "c", part, name)) for name in names]
    assert made == [""] * (len(names) - 1) + [OVER]
    assert ask(running, "SELECT 1", LOADER).text == ask(running, "SELECT 1", ANALYST).text == "1\n"
    _end(running, names[0])
    assert _make(running, "c", part, names[-1]).status_code == 200
    _end(running, "one", *names)


def test_a_session_that_expires_gives_back_without_a_further_request(running: EndpointProcess) -> None:
    part = ONE_MIB - 16
    names = [f"short{number}" for number in range(ALL_MIB // part)]
    for name in names:
        assert _make(running, "c", part, name, session_timeout="1").status_code == 200
    before = _held(running)

    def given_back() -> bool:
        assert httpx.get(running.url + "/ping").status_code == 200  # which touches no session
        return _held(running) <= before - ALL_MIB // 4

    until(given_back, pause_s=0.2)
    assert _make(running, "c", part, "next").status_code == 200
    _end(running, "next")


def _held(running: EndpointProcess) -> int:
    """MiB of the process that are in memory."""
    import psutil

    return int(psutil.Process(running.pid).memory_info().rss) // MIB


@pytest.mark.parametrize(
    "hiding",
    [
        "max_result_rows = 1, result_overflow_mode = 'break'",
        "max_rows_to_read = 1, read_overflow_mode = 'break'",
        "max_bytes_to_read = 1, read_overflow_mode = 'break'",
        "max_rows_to_group_by = 1, group_by_overflow_mode = 'any'",
        "max_rows_in_join = 1, join_overflow_mode = 'break'",
        "extremes = 1",
        "join_use_nulls = 1",
        "output_format_json_quote_64bit_integers = 1",
        "output_format_json_array_of_rows = 1",
        "max_memory_usage = 40000000",
        "max_block_size = 1",
    ],
)
def test_no_setting_hides_what_a_session_holds(running: EndpointProcess, hiding: str) -> None:
    """Set after a table was made; the inserts that follow are counted all the same, or end the session."""
    name = f"hiding-{hiding}"
    assert _make(running, "a", ONE_MIB - 16, name).status_code == 200
    assert ask(running, f"SET {hiding}", ANALYST, session_id=name).status_code == 200
    rows = f"INSERT INTO a FORMAT RowBinary\n{'x' * (8 * MIB)}"
    until(lambda: code(ask(running, rows, ANALYST, session_id=name)) in (OVER, GONE))
    assert ask(running, "SHOW TEMPORARY TABLES", ANALYST, session_id=name).text.strip() == ""
    _end(running, name)


def test_states_of_aggregate_functions_are_not_kept(running: EndpointProcess) -> None:
    """Their memory is not the column's, and would not be counted."""
    for query in (
        "CREATE TEMPORARY TABLE s AS SELECT uniqExactState(number) AS s FROM numbers(1000)",
        "CREATE TEMPORARY TABLE s (s Array(AggregateFunction(uniqExact, UInt64)))",
    ):
        assert code(ask(running, query, ANALYST, session_id="states")) == OVER
    fine = "CREATE TEMPORARY TABLE s (s SimpleAggregateFunction(sum, UInt64))"
    assert ask(running, fine, ANALYST, session_id="states").status_code == 200
    _end(running, "states")


def test_wide_and_many_tables_are_counted(running: EndpointProcess) -> None:
    columns = ", ".join(f"c{number} String" for number in range(9000))
    made = [
        code(ask(running, f"CREATE TEMPORARY TABLE t{number} ({columns})", ANALYST, session_id="wide"))
        for number in range(ONE_MIB // 32 + 1)
    ]
    assert OVER in made
    _end(running, "wide")


def test_external_data_stay_within_what_a_query_is_granted(running: EndpointProcess) -> None:
    def bring(mib: int, **parameters: str) -> httpx.Response:
        said = {"query": "SELECT count() FROM e", "e_structure": "a UInt64", "e_format": "RowBinary", **parameters}
        return httpx.post(
            running.url, params=said, files={"e": ("e", b"x" * (mib * MIB))}, auth=ANALYST, timeout=60
        )

    assert bring(8).text == f"{MIB}\n"
    assert code(bring(100, max_memory_usage=str(64 * MIB))) == OVER
    assert ask(running, "SELECT 1", ANALYST).text == "1\n"


def test_a_form_is_bounded(running: EndpointProcess) -> None:
    def send(files: dict[str, tuple[str | None, bytes]], user: tuple[str, str] = ANALYST) -> str:
        return code(httpx.post(running.url, files=files, auth=user, timeout=60))

    assert send({f"t{number}": ("f", b"1\n") for number in range(17)}) == "36"
    assert send({f"f{number}": (None, b"1") for number in range(1001)}) == "36"
    assert send({"query": (None, b"SELECT 1 --" + b"x" * (17 * MIB))}) == str(exceptions.QUERY_IS_TOO_LARGE)
    assert send({"query": (None, b"SELECT 1"), "t": ("f", b"x" * (257 * MIB))}) == str(
        exceptions.QUERY_IS_TOO_LARGE
    )
    until(lambda: not list((running.log.parent.parent / "clickhouse" / "spool").glob("*")))


@pytest.mark.parametrize("role", SLOTS)
def test_what_sessions_hold_is_not_granted_again(role: str) -> None:
    limits = Limits(memory_mib=4000, seconds=1, total_mib=2048)
    budget = TableBudget(limits, SLOTS)
    assert budget.change(role, 0, 100 * MIB)
    assert not budget.change(role, 0, 200 * MIB)  # more than the rest of all

    async def most(brings: bool) -> int:
        async with Admission(limits, budget).memory(role, "0", with_tables=brings, wait_s=0.01) as granted:
            return granted

    assert asyncio.run(most(brings=False)) == 512  # of 1024, less 100
    assert asyncio.run(most(brings=True)) == 256  # and as much for the tables
