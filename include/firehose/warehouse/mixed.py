"""The views of posts, likes, follows, reposts and blocks where FIREHOSE_READERS has them show the old system too.

Lives here: the SQL that shows a row of ``imported`` in a type's columns, which rows are shown, and what changes in
the views over these. What was not kept is NULL. A record is known by its key: the hash of account, collection,
record key and CID. Must not: the views' SQL while the setting is ``new`` (selects.py, views.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

from firehose import schema
from firehose.readers import Mode, Rule
from firehose.records.columns import ViewColumn as Column
from firehose.warehouse.columns import OF_BOTH_SYSTEMS, PROVENANCE, file_columns, view_columns
from firehose.warehouse.selects import quoted, select_list, type_select

#: Columns that no row of the old system has, or not each: NULL there, so declared as such.
NULLABLE: Final = frozenset({"rev", "time_us", "witnessed_at", "extra", "has_video"})
_KEPT: Final = {
    "time_us": "toUnixTimestamp64Micro(old.received_at)",
    "resync": "false",
    "reply_parent_uri": "old.reply_parent",
    "reply_root_uri": "old.reply_root",
    "quoted_uri": "old.embed_uri",
    "subject_did": "ifNull(old.subject_did, '')",
    "hashtags": "arrayDistinct(arrayMap(t -> lower(t), arrayConcat({tag}, old.tags)))",
    "links": "arrayDistinct(arrayConcat({link}, if(ifNull(old.external_uri, '') = '', [],"
    " [assumeNotNull(old.external_uri)])))",
    "mentions": "{mention}",
}
_AS_IT_IS: Final = frozenset(
    {
        *("batch", "did", "operation", "rkey", "cid", "tid_us", "created_at", "created_at_raw"),
        *("text", "langs", "subject_uri", "subject_cid"),
    }
)
_FACET: Final = "arrayMap(f -> substring(f, {0}), arrayFilter(f -> startsWith(f, '{1}:'), old.facets))"
_PATH: Final = ("year", "month", "day", "hour")
#: Where the view's own expression asks for parts of the record that were not kept in that form.
_SHOWN: Final = {
    "extra": "CAST(NULL, 'Nullable(String)')",
    "has_images": "has(stored.embeds, 'images')",
    "has_video": "CAST(NULL, 'Nullable(Bool)')",
    "alt_texts": "stored.alts",
    "self_labels": "stored.labels",
}
#: The old system's kinds of stores, as firehose.legacy.record names them: that package is above this one.
QUEUE: Final = "queue"
STORES: Final = ("cache-1", "cache-2", QUEUE, "parquet")
_KEYS: Final = "ops.imported_keys"
_SEEN: Final = "SELECT key FROM ops.imported_seen"
#: As ops.imported_keys has them: of the record, and as stores know it that kept no CID.
_OLD_KEY: Final = (
    "cityHash64(old.did, old.collection, old.rkey, ifNull(if(old.rkey = '', old.subject_did, old.cid), ''))"
)
_BARE_KEY: Final = (
    "cityHash64(old.did, old.collection, old.rkey, if(old.rkey = '', ifNull(old.subject_did, ''), ''))"
)


def columns(record_type: str) -> list[Column]:
    """The columns of the type's view."""
    return [
        column._replace(type=f"Nullable({column.type})") if column.name in NULLABLE else column
        for column in view_columns(record_type)
    ]


def select(record_type: str, lake_root: str, rules: Sequence[Rule], cluster: str = "") -> str:
    """A SELECT with a row for each event of a type, and for each record that only the old system has."""
    keys = _keys(record_type, "stored.")
    of_view = [
        c._replace(expression=_provenance(c.expression, keys)) if c.name == PROVENANCE.name else c
        for c in view_columns(record_type)
    ]
    seen = type_select(record_type, lake_root, of_view, cluster=cluster)
    shown = _where(rules, Mode.NEW, Mode.BOTH)
    kept = _any(f"{key} IN ({_of_store(QUEUE)})" for key in _keys(record_type, ""))
    if shown != "true":
        in_queue = f"(toSecond(batch) != 0 OR {kept})"
        seen = f"SELECT * FROM\n(\n{seen}\n) WHERE {shown} OR ({_where(rules, Mode.LEGACY)} AND {in_queue})"
    return f"{seen}\nUNION ALL\n{_imported(record_type, rules)}"


def over_view(name: str, body: str) -> str:
    """The body of a view over these views."""
    read = [kind for kind in OF_BOTH_SYSTEMS if re.search(rf"FROM firehose\.{kind}\b", body)]
    if not read or not (name.startswith("current_") or name == "edges"):
        return body
    columns, mark, query = body.partition("\nAS ")
    columns = re.sub(
        r"(`?(?:since|first_seen|witnessed_at|extra|has_video|rev)`?\s+)(\S+(?: '\w+'\))?)( +COMMENT)",
        r"\1Nullable(\2)\3",
        columns,
    )
    if name.startswith("current_"):
        # Rows of the old system have no revision: they count as older than all that have one, by their hour.
        rev = "ifNull(rev, concat('0', formatDateTime(hour_start, '%Y%m%d%H', 'UTC')))"
        query = query.replace(
            f"FROM firehose.{read[0]}", f"FROM (SELECT * REPLACE({rev} AS rev) FROM firehose.{read[0]})"
        )
        query = query.replace("last_rev AS rev", "if(startsWith(last_rev, '0'), NULL, last_rev) AS rev")
    return columns + mark + query


def _imported(record_type: str, rules: Sequence[Rule]) -> str:
    key, bare = _OLD_KEY, _BARE_KEY
    first = (
        f"SELECT key, one.1, one.2 FROM (SELECT key, min((toString(store), hour)) AS one FROM {_KEYS}"
        f" WHERE store != {quoted(QUEUE)} GROUP BY key)"
    )
    with_cid = f"SELECT bare FROM {_KEYS} WHERE key != bare AND store != {quoted(QUEUE)}"
    in_queue = _any(
        (
            *(f"{each} IN ({_of_store(QUEUE)})" for each in (key, bare)),
            f"({key} = {bare} AND {key} IN ({_of_store(QUEUE, 'bare')}))",
        )
    )
    conditions = [
        f"old.collection = {quoted(schema.COLLECTIONS[record_type])}",
        f"old.store != {quoted(QUEUE)}",
        f"({key}, toString(old.store), old.hour_start) IN ({first})",
        # A store that kept no CID has nothing more to say than one that did.
        f"NOT ({key} = {bare} AND {key} IN ({with_cid}))",
        # Where the firehose brought it too, the day of that row decides: else the two could lie on both sides of a
        # rule's day, and both be shown, or neither.
        f"(({key} NOT IN ({_SEEN}) AND {_where(rules, Mode.LEGACY, Mode.BOTH, table='old.')})"
        f" OR ({key} IN ({_SEEN}) AND {_where(rules, Mode.LEGACY, table='old.', day=_seen_before)}))",
        f"NOT ({_where(rules, Mode.LEGACY, table='old.')} AND {in_queue})",
    ]
    names = [*(c.name for c in file_columns(record_type)), *_PATH, *(("embeds", "alts", "labels"))]
    types = {c.name: c.type for c in file_columns(record_type)}
    inner = ", ".join(f"{_kept(name, types.get(name, ''))} AS {name}" for name in names)
    outer = [
        column._replace(
            expression=_SHOWN.get(column.name, column.expression)
            if column.name != PROVENANCE.name
            else _stores([f"stored.{PROVENANCE.name}_{of}" for of in ("key", "bare")])
        )
        for column in view_columns(record_type)
    ]
    return (
        f"SELECT {select_list(outer)} FROM\n(\nSELECT {inner}, {key} AS {PROVENANCE.name}_key,"
        f" {bare} AS {PROVENANCE.name}_bare FROM firehose.imported AS old\n"
        f"WHERE {' AND '.join(conditions)}\n) AS stored"
    )


def _kept(name: str, kind: str) -> str:
    if name in _KEPT:
        facets = {of: _FACET.format(len(of) + 2, of) for of in ("tag", "link", "mention")}
        return re.sub(r"\{([a-z]+)\}", lambda match: facets[match[1]], _KEPT[name])
    if name in _AS_IT_IS or not kind:
        return f"old.{name}"
    return f"CAST({'[]' if kind.startswith('Array') else 'NULL'}, {quoted(_nullable(kind))})"


def _nullable(kind: str) -> str:
    return kind if kind.startswith(("Array", "Nullable")) else f"Nullable({kind})"


def _keys(record_type: str, table: str) -> list[str]:
    """The keys of a row: its record's, and those by which stores know it that kept no CID, or no record key."""
    collection = quoted(schema.COLLECTIONS[record_type])
    begun, other = (
        f"cityHash64({table}did, {collection}, ",
        f"if({table}operation = 'create', '', {table}operation)",
    )
    keys = [f"{begun}{table}rkey, ifNull({table}cid, {other}))", f"{begun}{table}rkey, {other})"]
    if record_type in (schema.FOLLOWS, schema.BLOCKS):
        keys.append(f"{begun}'', {table}subject_did)")
    return keys


def _of_store(store: str, key: str = "key") -> str:
    return f"SELECT {key} FROM {_KEYS} WHERE store = {quoted(store)}"


def _stores(keys: Sequence[str]) -> str:
    found = (
        f"if({_any(f'{key} IN ({_of_store(store)})' for key in keys)}, [{quoted(store)}], [])" for store in STORES
    )
    return f"arrayConcat({', '.join(found)})"


def _provenance(seen: str, keys: Sequence[str]) -> str:
    return f"arrayDistinct(arrayConcat({seen}, {_stores(keys)}))"


def _filed_before(table: str, day: date) -> str:
    return f"{table}date < toDate('{day}')"


def _seen_before(_: str, day: date) -> str:
    return f"{_OLD_KEY} IN ({_SEEN} WHERE day < toDate('{day}'))"


def _where(
    rules: Sequence[Rule],
    *modes: Mode,
    table: str = "",
    day: Callable[[str, date], str] = _filed_before,
) -> str:
    """Which rows the setting shows in one of these modes, by day and account."""
    found: list[str] = []
    before: list[str] = []
    for rule in (*rules, Rule(Mode.NEW)):
        limits = []
        if rule.before is not None:
            limits.append(day(table, rule.before))
        if rule.share is not None:
            limits.append(f"{table}sample < {rule.share!r}")
        if rule.mode in modes:
            found.append(" AND ".join([*before, *limits]) or "true")
        if not limits:
            break
        before.append(f"NOT ({' AND '.join(limits)})")
    return f"({' OR '.join(found)})" if len(found) > 1 or " AND " in "".join(found) else (found or ["false"])[0]


def _any(conditions: Iterable[str]) -> str:
    return f"({' OR '.join(conditions)})"
