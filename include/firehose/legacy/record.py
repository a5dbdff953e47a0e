"""One record as the old system kept it, whatever store it comes from.

Lives here: the value that all readers of old stores give and all that compare or import them take. Must not: read
a store, know the lake.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Store(StrEnum):
    """The kinds of the old system's stores. The values are in the lake: they do not change."""

    CACHE_1 = "cache-1"  # JSON files, until December 2025
    CACHE_2 = "cache-2"  # JSON files, since then
    QUEUE = "queue"  # SQLite, from the old Jetstream connector: whole commits
    PARQUET = "parquet"  # folders by partition_date


class OldRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the old system kept of one record (or, in its queue, of one event). What it did not keep is None.

    ``path`` is the file, relative to the old system's root, and ``place`` the row's number or id in it (empty: the
    file is the record). ``operation`` is ``create`` but in the queue. ``received_us`` is when the old system took
    the record in, to the second, where its ``synctimestamp`` is that; a synthetic one is None. ``created_at`` is
    the client's text, untouched. ``event`` is the whole event as a line of Jetstream's v1, where the store is the
    queue: then nothing else than the names and times is filled in. ``langs``, ``tags``, ``alts``: lists, in their
    order. ``facets``: ``kind:value`` each (``tag:``, ``link:``, ``mention:``), without their places in the text.
    ``embeds`` names the kinds of embed (``images``, ``record``, ``external``; ``video`` in raw_sync).
    ``entities``: the values of a forerunner of facets. ``role`` is the folder that says why the study kept it
    (``study_user_activity/create/follow/followee``, ``raw_sync/create/like``, …).

    ``rkey`` is empty where none was kept: the follows of ``scraped_user_social_network`` are two accounts each
    (``did`` and ``subject_did``). An identity or account event of the queue has neither collection nor key, and
    its ``operation`` is the event's kind.
    """

    store: Store
    path: str
    place: str = ""
    role: str = ""
    did: str
    collection: str
    rkey: str
    operation: str = "create"
    cid: str | None = None
    received_us: int | None = None
    created_at: str | None = None
    event: bytes | None = None
    text: str | None = None
    langs: list[str] | None = None
    tags: list[str] | None = None
    labels: list[str] | None = None
    facets: list[str] | None = None
    entities: list[str] | None = None
    embeds: list[str] | None = None
    alts: list[str] | None = None
    embed_uri: str | None = None
    embed_cid: str | None = None
    external_uri: str | None = None
    external_title: str | None = None
    external_description: str | None = None
    reply_root: str | None = None
    reply_parent: str | None = None
    subject_uri: str | None = None
    subject_cid: str | None = None
    subject_did: str | None = None

    @property
    def uri(self) -> str:
        """Its address, by which old and new are matched."""
        return f"at://{self.did}/{self.collection}/{self.rkey}"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A file or row without a record in it; ``reason`` says why.

    ``unknown``: the old system never wrote this shape, and an import stops. Else it is broken: listed, not fatal.
    """

    path: str
    place: str = ""
    reason: str
    unknown: bool = False
