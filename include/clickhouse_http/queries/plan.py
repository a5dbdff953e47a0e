"""The engine's plan of a SELECT: which columns it will give, before it runs.

Lives here: asking for the plan and reading it. Must not: choosing how a statement runs (query).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from clickhouse_http.engine.connection import Connection

_FOOTERS: Final = ("TotalsHaving", "Extremes")


@dataclass(frozen=True)
class Plan:
    """``types``: those of the columns; ``has_footer``: totals or extremes follow the rows."""

    types: tuple[str, ...]
    has_footer: bool


def plan(connection: Connection, statement: str, parameters: Mapping[str, str]) -> Plan:
    """The plan of a SELECT. It comes in the FORMAT that the statement names: only those with Arrow get here.

    Raises:
        QueryError: as for the statement itself.
    """
    answer = connection.execute(f"EXPLAIN json = 1, header = 1 {statement}", "ArrowStream", parameters).bytes()
    import pyarrow as pa

    open_document = pa.ipc.open_file if answer[:6] == b"ARROW1" else pa.ipc.open_stream
    # As bytes: a client may have its strings as such, and a literal in its query need not be UTF-8.
    lines = open_document(answer).read_all().column(0).cast(pa.binary()).to_pylist()
    text = b"\n".join(lines).decode(errors="replace")
    root = msgspec.json.decode(text, type=list[dict[str, Any]])[0]["Plan"]
    types = tuple(column["Type"] for column in root.get("Header", ()))
    return Plan(types, any(node.get("Node Type") in _FOOTERS for node in _nodes(root)))


def _nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.get("Plans", ()))
