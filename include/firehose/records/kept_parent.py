"""The parent's CID of a post, in the files of closed hours: not stored where parent and root are one record.

A parent without a CID makes the whole reply a part of ``extra``, so such a row is not one of these. Must not: do
I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from firehose.records.columns import Column
from firehose.records.kept import Kept, Rows


class _ParentCid:
    name = "reply_parent_cid"
    stored = True
    adds: tuple[Column, ...] = ()
    needs = ("extra", "reply_parent_uri", "reply_root_uri", "reply_root_cid")

    def keep(self, rows: Rows) -> dict[str, pa.Array]:
        one, cids = _one_record(rows), rows[self.name]
        same = pc.and_(one, pc.fill_null(pc.equal(cids, rows["reply_root_cid"]), False))
        return {self.name: pc.if_else(same, None, cids)}

    def give(self, rows: Rows) -> pa.Array:
        stored = rows[self.name]
        return pc.if_else(pc.and_(_one_record(rows), stored.is_null()), rows["reply_root_cid"], stored)

    def sql(self, plain: Mapping[str, str], table: str) -> str:
        cid = f"{table}.{self.name}"
        same = f"isNull({table}.extra) AND {table}.reply_parent_uri = {table}.reply_root_uri"
        return f"multiIf(isNotNull({cid}), {cid}, {same}, {table}.reply_root_cid, NULL)"


PARENT_CID: Final[Kept] = _ParentCid()


def _one_record(rows: Rows) -> pa.Array:
    """Where parent and root are one record, and the columns hold all of the reply."""
    one = pc.fill_null(pc.equal(rows["reply_parent_uri"], rows["reply_root_uri"]), False)
    return pc.and_(one, rows["extra"].is_null())
