"""Whom the old system was to follow, as its stores show it: of these accounts alone a record can be *only new*.

A folder says why the study kept a record: what its study accounts did, what was done to them, what accounts of
their network posted. Other stores (the queue, the backfill from PDSes) say of an account no more than that they
have records of a type. An account of whom the old system kept nothing is in no scope. Must not: read a store.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from firehose import schema
from firehose.legacy.compare.outcome import COMPARED, Scope
from firehose.legacy.record import OldRecord, Store

_STUDY: Final = "study_user_activity/create/"
_NETWORK: Final = "in_network_user_activity"
_BACKFILL: Final = "raw_sync/"
_ACCOUNT: Final = r"^at://(?P<did>[^/]+)/"
#: Columns of the lake by which a row is about an account.
ABOUT: Final = {
    schema.POSTS: ("reply_root_uri", "reply_parent_uri"),
    schema.LIKES: ("subject_uri",),
    schema.FOLLOWS: ("subject_did",),
    schema.REPOSTS: (),
    schema.BLOCKS: (),
}


class Accounts:
    """The accounts of a scope, gathered record by record."""

    def __init__(self) -> None:
        self.study: set[str] = set()
        self.network: set[str] = set()
        self.others: dict[str, set[str]] = {name: set() for name in COMPARED.values()}

    def add(self, old: OldRecord) -> None:
        """Learn from a record and the folder that it was in."""
        if old.role.startswith(_STUDY):
            self._add_study(old, old.role.removeprefix(_STUDY))
        elif old.role.startswith(_NETWORK):
            self.network.add(old.did)
        elif (old.store is Store.QUEUE or old.role.startswith(_BACKFILL)) and old.collection in COMPARED:
            self.others[COMPARED[old.collection]].add(old.did)

    def _add_study(self, old: OldRecord, kind: str) -> None:
        if kind in ("post", "like", "follow/follower"):
            self.study.add(old.did)
        elif kind == "follow/followee" and old.subject_did:
            self.study.add(old.subject_did)
        elif kind == "like_on_user_post" and old.subject_uri:
            self.study.add(old.subject_uri.removeprefix("at://").partition("/")[0])

    @property
    def counts(self) -> Scope:
        """How many there are."""
        others = set().union(*self.others.values()) - self.study - self.network
        return Scope(study=len(self.study), network=len(self.network), others=len(others))

    def holds(self, record_type: str, table: pa.Table) -> pa.Array:
        """A flag for each row of the lake: whether the old system was to keep it."""
        own = self.study | self.others[record_type]
        if record_type == schema.POSTS:
            own = own | self.network
        flags = _is_in(table["did"], own)
        for name in ABOUT[record_type]:
            flags = pc.or_(flags, _is_in(_account(name, table), self.study))
        return flags


def _account(name: str, table: pa.Table) -> pa.ChunkedArray:
    if name.endswith("_did"):
        return table[name]
    return pc.struct_field(pc.extract_regex(table[name], _ACCOUNT), "did")


def _is_in(values: pa.ChunkedArray, accounts: set[str]) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_in(values, pa.array(sorted(accounts), pa.string())), False)
