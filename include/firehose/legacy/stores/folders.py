"""Which folders the old system wrote to, and what the files in them are called.

Lives here: names alone. Must not: look at a disk, guess: a folder or a name that it never wrote is none.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from firehose.legacy.record import Store
from firehose.legacy.stores.found import Shape

GENERATIONS: Final = {"cache": Store.CACHE_1, "__local_cache__": Store.CACHE_2}
#: Folders of the JSON cache, below its root; ``*`` is an account or a record key.
_CACHED: Final[dict[tuple[str, ...], Shape]] = {
    ("study_user_activity", "create", "post"): Shape.POST,
    ("study_user_activity", "create", "like", "*"): Shape.LIKE,
    ("study_user_activity", "create", "like_on_user_post", "*"): Shape.LIKE,
    ("study_user_activity", "create", "follow", "follower"): Shape.FOLLOW,
    ("study_user_activity", "create", "follow", "followee"): Shape.FOLLOW,
    ("study_user_activity", "create", "reply_to_user_post", "*"): Shape.POST,
    ("in_network_user_activity", "create", "post", "*"): Shape.POST,
}
#: Service paths of the Parquet lake.
_SERVICES: Final[dict[tuple[str, ...], Shape]] = {
    ("in_network_user_activity",): Shape.POST_ROWS,
    ("study_user_activity", "create", "post"): Shape.POST_ROWS,
    ("study_user_activity", "create", "reply_to_user_post"): Shape.POST_ROWS,
    ("study_user_activity", "create", "like"): Shape.LIKE_ROWS,
    ("study_user_activity", "create", "like_on_user_post"): Shape.LIKE_ROWS,
    ("raw_sync", "create", "post"): Shape.RAW_POST_ROWS,
    ("raw_sync", "create", "reply"): Shape.RAW_POST_ROWS,
    ("raw_sync", "create", "like"): Shape.RAW_SUBJECT_ROWS,
    ("raw_sync", "create", "repost"): Shape.RAW_SUBJECT_ROWS,
    ("raw_sync", "create", "follow"): Shape.RAW_ACCOUNT_ROWS,
    ("raw_sync", "create", "block"): Shape.RAW_ACCOUNT_ROWS,
    ("scraped_user_social_network",): Shape.NETWORK_ROWS,
    ("preprocessed_posts",): Shape.POST_ROWS,
    ("sync", "most_liked"): Shape.POST_ROWS,
}
#: Names that only stores have: whatever lies below belongs to one, or is of an unknown shape.
_OF_STORES: Final = (
    {service[0] for service in _SERVICES if service != ("sync", "most_liked")} | {"__local_cache__"}
)  # fmt: skip
_SOURCES: Final = ("firehose", "most_liked")
_AGES: Final = ("active", "cache")
_SPAN: Final = re.compile(r"startTimestamp=.+_endTimestamp=.+_fileCreatedTimestamp=.+\.parquet")
_PARTITION: Final = re.compile(r"partition_date=\d{4}-\d\d-\d\d")

#: What files in folders of each shape are called.
NAMES: Final[dict[Shape, re.Pattern[str]]] = {
    Shape.POST: re.compile(r"author_did=.+_post_uri_suffix=.+\.json"),
    Shape.LIKE: re.compile(r"(?:like_)?author_did=.+_like_uri_suffix=.+\.json"),
    Shape.FOLLOW: re.compile(r"follower_did=.+_followee_did=.+\.json"),
}
ROWS_NAME: Final = re.compile(r"[0-9a-f]{32}(?:-\d+)?\.parquet")
QUEUE_NAME: Final = re.compile(r"jetstream_sync\.db|sync_firehose_[a-z_]+\.db")
#: What SQLite puts beside a database, and is read with it.
QUEUE_LOGS: Final = ("-wal", "-journal")
QUEUE_SIDE_FILES: Final = (*QUEUE_LOGS, "-shm")


class Folder(NamedTuple):
    """What a folder is for. ``shape`` is None where the old system wrote no files; ``of_store`` says if it is
    below a folder that is a store's."""

    store: Store | None
    shape: Shape | None
    role: str
    of_store: bool


def folder(parts: tuple[str, ...]) -> Folder:
    """What the folder of these names is for; names above the root count as well, so that it may lie in a store."""
    at = max((i for i, part in enumerate(parts) if part in _OF_STORES), default=None)
    if at is None:
        return _most_liked(parts)
    rest = parts[at:]
    above = parts[at - 1] if at else ""
    for pattern, shape in _CACHED.items():
        if len(rest) == len(pattern) and all(p in ("*", name) for p, name in zip(pattern, rest, strict=True)):
            role = "/".join(name for p, name in zip(pattern, rest, strict=True) if p != "*")
            return Folder(GENERATIONS.get(above), shape, role, True)
    return _rows(rest) or Folder(None, None, "", True)


def _most_liked(parts: tuple[str, ...]) -> Folder:
    """For what is below no name that only stores have: one service's path, and two folders without files."""
    for at in range(len(parts) - 1):
        if parts[at : at + 2] == ("sync", "most_liked"):
            return _rows(parts[at:]) or Folder(None, None, "", True)
        if parts[at] == "cache" and parts[at + 1] in ("create", "delete"):
            return Folder(None, None, "", True)
    return Folder(None, None, "", False)


def _rows(rest: tuple[str, ...]) -> Folder | None:
    """A folder of Parquet files: service, perhaps a source, an age, perhaps a span of time and a partition."""
    for service, shape in _SERVICES.items():
        size = len(service)
        if rest[:size] != service:
            continue
        role, below = "/".join(service), list(rest[size:])
        if below and below[0] in _SOURCES:
            role += "/" + below.pop(0)
        if not below or below.pop(0) not in _AGES:
            continue
        if below and _SPAN.fullmatch(below[0]):
            below.pop(0)
        if below and _PARTITION.fullmatch(below[0]):
            below.pop(0)
        if not below:
            return Folder(Store.PARQUET, shape, role, True)
    return None
