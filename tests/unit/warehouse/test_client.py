"""Errors of ClickHouse and of the connection, as the one line that a user reads."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect


def test_a_closed_port_is_unavailable_and_names_the_setting(free_port: int) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port}"
    with pytest.raises(ServiceUnavailable, match="FIREHOSE_CLICKHOUSE_URL") as raised:
        connect(Settings(clickhouse_url=url, clickhouse_loader_password="hidden"))
    assert "secret" not in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_an_answer_of_the_server_keeps_code_and_text_only() -> None:
    raw = (
        "Received ClickHouse exception, code: 62, server response: Code: 62. DB::Exception: Syntax error:\n"
        " failed (at position 1) (SYNTAX_ERROR) (version 26.9.2.1 (official build)) (for url http://localhost:8123)"
    )
    with pytest.raises(FirehoseError) as raised, clickhouse_errors():
        raise DatabaseError(raw)
    assert str(raised.value) == "ClickHouse: Code 62: Syntax error: failed (at position 1) (SYNTAX_ERROR)"


def test_no_answer_may_be_tried_again() -> None:
    with (
        pytest.raises(ServiceUnavailable, match="the connection failed: Error reset by peer"),
        clickhouse_errors(),
    ):
        raise OperationalError("Error reset\nby peer")
