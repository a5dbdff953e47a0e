"""What a walk over the old system's folders gives: files of its stores, and files that are none.

Lives here: these values. Must not: look at a disk.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from firehose.legacy.record import Store


class Shape(StrEnum):
    """What a file holds, as its folder says."""

    POST = "post"  # one post, a JSON file
    LIKE = "like"
    FOLLOW = "follow"
    QUEUE = "queue"  # a SQLite database of events
    POST_ROWS = "post-rows"  # Parquet, from here on: the columns that a post file has as keys
    LIKE_ROWS = "like-rows"
    NETWORK_ROWS = "network-rows"  # follows by their two accounts, without record keys
    RAW_POST_ROWS = "raw-post-rows"  # of the backfill from PDSes: parts of the record as JSON
    RAW_SUBJECT_ROWS = "raw-subject-rows"  # its likes and reposts
    RAW_ACCOUNT_ROWS = "raw-account-rows"  # its follows and blocks


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a store. ``path`` is relative to the root; ``role`` is the folder that says why the study kept it.

    A database counts as one with its write-ahead log: ``size`` is that of both, ``mtime_ns`` the later one.
    """

    path: str
    store: Store
    shape: Shape
    role: str
    size: int
    mtime_ns: int


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Files of one folder that no store of the old system has: code, notes, what other programs leave.

    They are not read. ``files`` is how many there are, ``example`` the name of the first; of a hidden folder,
    which is not looked into, they are 0 and its name.
    """

    path: str
    files: int
    example: str
