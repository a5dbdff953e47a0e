"""Reads a Parquet file of the old system's lake, in batches of rows.

Lives here: the columns of each kind of file, and a row's record. ``synctimestamp`` and ``partition_date`` are no
times of receipt in any of them: exports wrote the time of the export over it, the PDS backfill made it up. Must
not: walk folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores import raw
from firehose.legacy.stores.cache import UNDECODABLE, like_fields, named, refused
from firehose.legacy.stores.found import Found, Shape
from firehose.legacy.stores.posts import COLLECTION as POST
from firehose.legacy.stores.posts import Post, post_fields
from firehose.legacy.stores.texts import Broken, split

_BATCH: Final = 2_000
_FEED, _GRAPH = "app.bsky.feed", "app.bsky.graph"
_COLLECTIONS: Final = {
    **{"post": POST, "reply": POST, "like": f"{_FEED}.like", "repost": f"{_FEED}.repost"},
    **{"follow": f"{_GRAPH}.follow", "block": f"{_GRAPH}.block", "like_on_user_post": f"{_FEED}.like"},
}
#: Beside the rows' own columns: what pandas, partitions, exports and the preprocessing add.
_ADDED: Final = {"partition_date", "synctimestamp", "row_num", "startTimestamp", "__index_level_0__"} | {
    *("passed_filters", "filtered_at", "filtered_by_func", "preprocessing_timestamp")
}
_POST_COLUMNS: Final = tuple(name for name in Post.__struct_fields__ if name != "synctimestamp")
_RAW: Final = ("uri", "cid", "author", "created_at")
_RAW_POST: Final = (*_RAW, "text", "embed", "entities", "facets", "labels", "langs", "tags")
_NETWORK: Final = ("follow_did", "follower_did")

Row = dict[str, Any]


def _post(found: Found, row: Row) -> Row:
    post = Post(**row, synctimestamp="")
    did, collection, rkey = named(post.uri, POST, post.author_did)
    # Older files joined lists by commas; no language or label holds one, and few tags do.
    return {"did": did, "collection": collection, "rkey": rkey, **post_fields(post, ";,")}


def _names(found: Found, row: Row) -> Row:
    collection = _COLLECTIONS[found.role.split("/")[2]]
    did, _, rkey = named(row["uri"], collection, row["author"])
    return {"did": did, "collection": collection, "rkey": rkey, "cid": row["cid"]}


def _like(found: Found, row: Row) -> Row:
    record = row["record"]
    if not isinstance(record, str):
        record = msgspec.json.encode(record).decode()
    return {**_names(found, row), **like_fields(record)}


def _raw_post(found: Found, row: Row) -> Row:
    return {
        **_names(found, row),
        "created_at": row["created_at"],
        "text": row["text"],
        "langs": split(row["langs"], ","),
        "tags": split(row["tags"], ","),
        "labels": raw.labels(row["labels"]),
        "entities": raw.entities(row["entities"]),
        "facets": raw.facets(row["facets"]),
        **raw.embed_fields(row["embed"]),
        **(raw.reply_fields(row["reply"]) if "reply" in row else {}),
    }


def _raw_subject(found: Found, row: Row) -> Row:
    return {**_names(found, row), "created_at": row["created_at"], **raw.subject_fields(row["subject"])}


def _raw_account(found: Found, row: Row) -> Row:
    return {**_names(found, row), "created_at": row["created_at"], "subject_did": row["subject"]}


def _network(found: Found, row: Row) -> Row:
    follow = {"did": row["follower_did"], "subject_did": row["follow_did"]}
    if not all(isinstance(did, str) and did.startswith("did:") for did in follow.values()):
        raise Broken("follow_did and follower_did are not both accounts")
    return {**follow, "collection": _COLLECTIONS["follow"], "rkey": ""}


class _Kind(msgspec.Struct, frozen=True):
    """Columns that a file has to have, those that it may have as well, and what makes a record of a row."""

    needed: frozenset[str]
    more: frozenset[str]
    record: Callable[[Found, Row], Row]


_COUNTS: Final = frozenset({"like_count", "reply_count", "repost_count"})
_KINDS: Final[dict[Shape, _Kind]] = {
    Shape.POST_ROWS: _Kind(
        frozenset({"uri", "cid", "author_did", "created_at", "text", "source"}), frozenset(_POST_COLUMNS), _post
    ),
    Shape.LIKE_ROWS: _Kind(frozenset({"uri", "cid", "author", "record"}), frozenset(), _like),
    Shape.NETWORK_ROWS: _Kind(
        frozenset(_NETWORK),
        frozenset({"follow_handle", "follow_url", "follower_handle", "follower_url"})
        | {"insert_timestamp", "relationship_to_study_user"},
        _network,
    ),
    Shape.RAW_POST_ROWS: _Kind(frozenset(_RAW_POST), frozenset({"reply", "py_type", "record_type"}), _raw_post),
    Shape.RAW_SUBJECT_ROWS: _Kind(
        frozenset((*_RAW, "subject")), frozenset({"py_type", "record_type"}), _raw_subject
    ),
    Shape.RAW_ACCOUNT_ROWS: _Kind(
        frozenset((*_RAW, "subject")), frozenset({"py_type", "record_type"}), _raw_account
    ),
}


def read_rows(root: str, found: Found) -> Iterator[OldRecord | Refused]:
    """The records of a file in the order of its rows; ``place`` is the row's number, from 0."""
    kind = _KINDS[found.shape]
    try:
        with pq.ParquetFile(f"{root}/{found.path}") as file:
            if wrong := _wrong(file.schema_arrow, kind):
                yield Refused(path=found.path, reason=wrong, unknown=True)
                return
            yield from _records(found, kind, file)
    except (OSError, pa.ArrowException, UnicodeError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield Refused(path=found.path, reason=f"broken Parquet: {reason[:300]}")


def _wrong(schema: pa.Schema, kind: _Kind) -> str:
    """Why no file of this kind has these columns; empty if it may."""
    names = set(schema.names)
    if missing := kind.needed - names:
        return f"columns are missing: {', '.join(sorted(missing))}"
    if unknown := names - kind.needed - kind.more - _ADDED:
        return f"columns that the old system did not write: {', '.join(sorted(unknown))}"
    for field in schema:
        of_ours = field.name in kind.needed | kind.more and field.name not in (_COUNTS | {"record"})
        if of_ours and not _is_text(field.type):
            return f"the column {field.name} holds {field.type}, and not texts"
    return ""


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _records(found: Found, kind: _Kind, file: pq.ParquetFile) -> Iterator[OldRecord | Refused]:
    columns = [name for name in file.schema_arrow.names if name in kind.needed | kind.more]
    at = 0
    for batch in file.iter_batches(_BATCH, columns=columns):
        try:
            rows: list[Row | None] = list(batch.to_pylist())
        except UnicodeError:
            rows = [_row(batch, i) for i in range(len(batch))]
        for row in rows:
            yield _record(found, kind, row, str(at))
            at += 1


def _row(batch: pa.RecordBatch, i: int) -> Row | None:
    try:
        return batch.slice(i, 1).to_pylist()[0]  # type: ignore[no-any-return]
    except UnicodeError:
        return None


def _record(found: Found, kind: _Kind, row: Row | None, place: str) -> OldRecord | Refused:
    try:
        if row is None:
            raise Broken("a text in it is not UTF-8")
        if empty := [
            name for name in kind.needed if name in ("uri", "author", "author_did") and row[name] is None
        ]:
            raise Broken(f"{empty[0]} is empty")
        fields = kind.record(found, row)
        return OldRecord(store=found.store, path=found.path, place=place, role=found.role, **fields)
    except Broken as error:
        return Refused(path=found.path, place=place, reason=str(error))
    except UNDECODABLE as error:
        return refused(found.path, error, place)
