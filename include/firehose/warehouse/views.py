"""The views over the lake's Parquet files, made from the schema and the lake's root, and the views over those.

Lives here: the list of views and their statements, as pure functions. Their SELECTs over files are in selects.py,
the SQL of the views over views in include/firehose/clickhouse/views. Must not: connections.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from firehose import schema
from firehose.areas import Area
from firehose.errors import FirehoseError
from firehose.readers import Mode, only_new, rules
from firehose.records.columns import ViewColumn as Column
from firehose.records.links import GIF_HOSTS, site
from firehose.records.registry import BY_QUEUE, REGISTRY, catch_all, shares_queue
from firehose.warehouse import mixed
from firehose.warehouse.columns import EVENTS, OF_BOTH_SYSTEMS, view_columns
from firehose.warehouse.selects import events_select, quoted, select_list, table_function, type_select
from firehose.warehouse.spelling import FUNCTIONS
from firehose.warehouse.sql import SQL_FOLDER
from ingester.contract import checks

DATABASE: Final = "firehose"
_OVER_VIEWS: Final = SQL_FOLDER / "views"
#: What stands in a view's file for functions that its statement begins with.
_FUNCTIONS: Final = {
    "/* in_one_spelling, emoji_of */": FUNCTIONS,
    "/* lives */": (SQL_FOLDER / "functions" / "lives.sql").read_text(encoding="utf-8").strip(),
}
_QUARANTINE: Final = (
    # The file's own column batch is hidden by the folder's name, which is the batch's id.
    Column(
        "batch",
        "DateTime64(3, 'UTC')",
        "Start of the interval whose run set it aside",
        "toDateTime64(parseDateTimeBestEffort(stored.batch, 'UTC'), 3, 'UTC')",
    ),
    Column("type", "String", "The record type that it would have been; other where that cannot be told"),
    Column(
        "time_us",
        "Nullable(Int64)",
        "When the host saw it, microseconds since 1970; NULL where it does not say",
        "nullIf(stored.time_us, 0)",
    ),
    Column("reason", "String", "Why it is not a row of its type"),
    Column("raw", "String", "The event as it came, byte for byte; it may be neither JSON nor UTF-8"),
    Column("date", "Date", "UTC day of the batch; a condition on it opens only that day's files"),
    Column(
        "witnessed_at",
        "Nullable(DateTime64(6, 'UTC'))",
        "time_us as an instant",
        "fromUnixTimestamp64Micro(time_us, 'UTC')",
    ),
)

_COHORTS: Final = (
    Column("cohort", "String", "Name of the study or group: did IN (SELECT did FROM cohorts WHERE cohort = …)"),
    Column("did", "String", "The account"),
    Column("named", "String", "What the list said: a DID, or a handle"),
    Column(
        "at",
        "Nullable(DateTime64(6, 'UTC'))",
        "The moment at which the handle was the account's; NULL: the list said a DID",
    ),
)


class View(NamedTuple):
    """A view's name in the database ``firehose`` and the statement that creates or replaces it."""

    name: str
    statement: str
    comment: str


def views(lake_root: str, cluster: str = "", readers: str = Mode.NEW) -> list[View]:
    """All views over the lake at ``lake_root`` (a path, or ``s3://…``, as ClickHouse sees it), in order.

    ``cluster``: the one whose servers divide the files of a bucket among them. ``readers``: which system's records
    the views of what both systems have show. The views ``seen_…`` show the firehose's at all times.

    Raises:
        FirehoseError: the root contains characters that ClickHouse would read as a pattern.
    """
    if wrong := checks.lake_root(lake_root):
        raise FirehoseError(f"the lake's root {lake_root!r} {wrong}")
    made = []
    both = () if only_new(readers) else OF_BOTH_SYSTEMS
    for name in schema.TYPES:
        columns = view_columns(name)
        select = type_select(name, lake_root, columns, cluster=cluster)
        made += [] if name in both else [_view(name, columns, select)]
        made += [_seen(name, columns, select)] if name in OF_BOTH_SYSTEMS else []
    for name in both:
        select = mixed.select(name, lake_root, rules(readers), cluster)
        about = f"One row an event: {name} of the firehose, of the old system or of both, as FIREHOSE_READERS says"
        made.append(_declared(name, about, mixed.columns(name), select))
    made.append(_view("events", list(EVENTS), events_select(lake_root, cluster)))
    made += [_quarantine(lake_root, cluster), _cohorts(lake_root, cluster), _gif_hosts()]
    return [*made, *(_over_views(path, mixed_in=bool(both)) for path in sorted(_OVER_VIEWS.glob("*.sql")))]


def _view(name: str, columns: list[Column], select: str) -> View:
    what = "all events" if name == "events" else name
    about = f"One row an event: {what} in the Parquet files of the lake{_scope(name)}"
    if name in REGISTRY and not REGISTRY[name].is_event:
        about = "One row a record, or event, and kind of store: what an earlier system kept, as far as it kept it"
    return _declared(name, about, columns, select)


def _seen(name: str, columns: list[Column], select: str) -> View:
    about = f"As {name}, of the firehose alone, whatever FIREHOSE_READERS says"
    return _declared(f"seen_{name}", about, columns, select)


def _scope(name: str) -> str:
    """The part of the view's comment that says which rows of the catch-all's files it shows."""
    if name in REGISTRY and (last := catch_all(name)):
        return f", those that earlier versions stored as {last.name} included"
    if name in REGISTRY and (others := shares_queue(name)):
        return f", but for {', '.join(of.name for of in others)}, which have views of their own"
    return ""


def _declared(name: str, about: str, columns: list[Column], select: str) -> View:
    declared = ",\n".join(f"    `{c.name}` {c.type} COMMENT {quoted(c.comment)}" for c in columns)
    return _statement(name, about, f"(\n{declared}\n)\nAS {select}")


def _quarantine(lake_root: str, cluster: str) -> View:
    columns = list(_QUARANTINE)
    stored = "batch String, type String, time_us Nullable(Int64), reason String, raw String, date Date"
    files = table_function(lake_root, f"{Area.QUARANTINE}/date=*/batch=*/quarantine.parquet", stored, cluster)
    select = f"SELECT {select_list(columns)} FROM {files} AS stored"
    return _declared("quarantine", "Events set aside, each with the reason", columns, select)


def _cohorts(lake_root: str, cluster: str) -> View:
    stored = "cohort String, did String, named String, at Nullable(DateTime64(6, 'UTC'))"
    files = table_function(lake_root, f"{Area.COHORTS}/*.parquet", stored, cluster)
    return _declared(
        "cohorts", "Accounts by cohort", list(_COHORTS), f"SELECT {select_list(list(_COHORTS))} FROM {files}"
    )


def _gif_hosts() -> View:
    columns = [
        Column("host", "String", "Host whose links are GIFs"),
        Column("domain", "String", "Its registered domain"),
    ]
    sites = [found for host in GIF_HOSTS if (found := site(host))]
    rows = ", ".join(f"({quoted(found.host)}, {quoted(found.domain)})" for found in sites)
    select = f"SELECT pair.1 AS host, pair.2 AS domain FROM (SELECT arrayJoin([{rows}]) AS pair)"
    return _declared(
        "gif_hosts", "Hosts whose links are GIFs from a client's picker, not references", columns, select
    )


def _over_views(path: Path, *, mixed_in: bool) -> View:
    """A view from a file, which has a line of comment, the columns, and ``AS SELECT …`` or ``AS WITH …``.

    One with a parameter may have no columns: the engine keeps none. ``{types}`` and ``{types_by_queue}`` stand for
    the record types as the registry has them. ``mixed_in``: what it reads has rows of the old system as well.
    """
    about, _, body = path.read_text(encoding="utf-8").partition("\n")
    types = f"[{', '.join(map(quoted, schema.EVENT_TYPES))}]"
    body = body.strip().replace("{types_by_queue}", _types_by_queue()).replace("{types}", types)
    for mark, functions in _FUNCTIONS.items():
        body = body.replace(mark, functions)
    body = mixed.over_view(path.stem, body) if mixed_in else body
    return _statement(path.stem, about.removeprefix("-- "), f"\n{body}" if body.startswith("AS ") else body)


def _types_by_queue() -> str:
    """Each queue with its record types, as an array of tuples: what a queue lacks, all its types lack."""
    rows = (
        f"({quoted(queue)}, [{', '.join(quoted(of.name) for of in types)}])"
        for queue, types in BY_QUEUE.items()
        if types[-1].is_event
    )
    return f"[{', '.join(rows)}]"


def _statement(name: str, about: str, body: str) -> View:
    """The statement of a view; ``body`` is the list of columns followed by ``AS SELECT …``."""
    # The hash lets a later run see whether the view is still current.
    comment = f"{about} (definition {hashlib.sha256(body.encode()).hexdigest()[:12]})"
    columns, _, select = body.partition("\nAS ")
    # DEFINER: analysts need no right to read files, only to select from the view.
    statement = (
        f"CREATE OR REPLACE VIEW {DATABASE}.{name}\n{columns}\n"
        f"DEFINER = CURRENT_USER SQL SECURITY DEFINER\nAS {select}\nCOMMENT {quoted(comment)}"
    )
    return View(name, statement, comment)
