"""What the view Search asks: the span of a query, its posts, how many there are over time, and its facets.

The grammar and its statements are the engine's (firehose.search), run as ``firehose search`` does. A connection
for each question, in a thread. Must not: SQL of posts, HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from firehose.search import facets, run
from firehose.search.conditions import Holders
from firehose.search.marks import Mark
from firehose.search.matching import Statement
from firehose.search.parser import parse
from firehose.search.tree import Query
from firehose.settings import Settings
from firehose.syntax import DID
from firehose.warehouse.client import clickhouse_errors, connect
from firehose_ui.leaving import Connections
from firehose_ui.named import BadValue, NamedQuery

#: Posts that come at once, and the most that a ranking has.
PAGE: Final = 50
_AFTER: Final = re.compile(r"(\d{1,17})/(\S+)")
_ORDERS: Final = ("newest", "ranked")
#: What each question is asked with.
NEEDS: Final = {
    "span": ("q", "since", "until"),
    "posts": ("q", "since", "until", "order", "after"),
    "counts": ("q", "since", "until", "step", "zone"),
    "facets": ("q", "since", "until"),
}
_HANDLES: Final = (
    "SELECT did, argMax(handle, since) FROM firehose.handles WHERE did IN {dids:Array(String)} AND handle != ''"
    " GROUP BY did"
)


def answer(
    settings: Settings, checks: NamedQuery, name: str, given: Mapping[str, str], connections: Connections
) -> dict[str, Any]:
    """The answer to one of ``NEEDS``; ``checks`` is the named query whose times, step and zone are checked alike.

    Whoever closes ``connections`` meanwhile ends the search.

    Raises:
        BadValue: a value is missing, unknown or wrong.
        QueryError: the query is not in the grammar, or names a handle that nobody had.
        FirehoseError: ClickHouse's.
    """
    if name not in NEEDS:
        raise BadValue(f"a search has no question {name!r}; it has {', '.join(NEEDS)}")
    if set(given) != set(NEEDS[name]):
        raise BadValue(f"{name} needs the values {', '.join(NEEDS[name])}")
    checked = checks.values({each: given.get(each, usual) for each, usual in _CHECKED.items()})
    query = parse(given["q"])
    since, until = _bounds(query, *(_instant(checked[each]) for each in ("since", "until")))
    if since >= until:
        raise BadValue("since: is not before until: (or as_of:), so no post can match")
    if name == "span":
        return {"since": since.timestamp(), "until": until.timestamp(), "ranked": bool(query.wanted)}
    query = query._replace(since=since, until=until)
    with closing(connect(settings, "analyst", pool=connections.pool())) as client:
        known = run.holders(client, query)
        if name == "posts":
            return _posts(client, query, known, given["order"], given["after"])
        if name == "counts":
            rows = _rows(client, facets.by_step(query, known, given["step"], given["zone"]))
            return {"data": rows}
        return _facets(client, query, known)


_CHECKED: Final = {"since": "", "until": "", "step": "hour", "zone": "UTC"}


def _bounds(query: Query, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The span of a search: what the query itself says comes before what the view's controls say."""
    ends = [end for end in (query.until or until, query.as_of) if end]
    return query.since or since, min(ends)


def _instant(checked: str) -> datetime:
    return datetime.fromisoformat(checked).replace(tzinfo=UTC)


def _posts(client: Client, query: Query, known: Holders, order: str, after: str) -> dict[str, Any]:
    if order not in _ORDERS:
        raise BadValue(f"order must be one of {', '.join(_ORDERS)}")
    if after:
        query = query._replace(after=_place(after))
    hits = run.posts(client, query, known, order, PAGE)
    handles = _handles(client, [hit.did for hit in hits])
    last = f"{_micros(hits[-1].at)}/{hits[-1].did}" if len(hits) == PAGE and order == "newest" else ""
    return {"posts": [_post(hit, handles) for hit in hits], "after": last, "notes": list(run.notes(known))}


def _place(after: str) -> tuple[datetime, str]:
    found = _AFTER.fullmatch(after)
    if not found or not DID.matches(found[2]):
        raise BadValue("after must be what the answer before has said")
    seconds, micros = divmod(int(found[1]), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros), found[2]


def _micros(at: datetime) -> int:
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def _post(hit: run.Hit, handles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "uri": hit.uri,
        "did": hit.did,
        "handle": handles.get(hit.did, ""),
        "at": hit.at.timestamp(),
        "edited": hit.operation == "update",
        "pieces": pieces(hit.text, hit.marks),
        "alts": [alt for alt in hit.alt_texts if alt],
        "languages": hit.languages,
    }


def pieces(text: str, marks: list[Mark]) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether it was asked for: so that nobody has to count characters again."""
    edges = sorted({0, len(text), *(edge for mark in marks for edge in mark)})
    begins = {begin for begin, _ in marks}
    return [(text[low:high], low in begins) for low, high in pairwise(edges)]


def _facets(client: Client, query: Query, known: Holders) -> dict[str, Any]:
    rows = _rows(client, facets.facets(query, known))
    handles = _handles(client, [name for facet, name, _ in rows if facet == "from"])
    counted = sum(posts for facet, _, posts in rows if facet == "all")
    data = [(facet, name, handles.get(name, ""), posts) for facet, name, posts in rows if facet != "all"]
    return {"counted": counted, "most": facets.COUNTED, "data": data}


def _handles(client: Client, dids: list[str]) -> dict[str, str]:
    with clickhouse_errors():
        rows = client.query(_HANDLES, parameters={"dids": sorted(set(dids))}).result_rows if dids else []
    return {str(did): str(handle) for did, handle in rows}


def _rows(client: Client, asked: Statement) -> list[Any]:
    with clickhouse_errors():
        return list(client.query(asked.sql, parameters=asked.parameters.values).result_rows)
