"""Types of operations on the records of one collection, made of the fields that their columns hold.

Lives here: what all such types have in common. Must not: know any single type, do I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from firehose.records.base import RecordType
from firehose.records.columns import Column, Derivation, Edge, ViewColumn
from firehose.records.fast import fast
from firehose.records.fields import Field, columns_of
from firehose.records.kept import CLAIM, KEY_CLOCK, REVISION, Kept
from firehose.records.kept_cid import kept_cid
from firehose.records.rules import OPERATION_RULES, Rule
from firehose.records.shared_columns import COMMIT, OPERATION, WITNESSED


def operations(
    name: str,
    queue: str,
    collection: str,
    fields: Sequence[Field],
    *,
    sort: str,
    rules: Sequence[Rule] = (),
    claimed: bool = True,
    claim_asked: bool = True,
    derivation: Derivation | None = None,
    made: Sequence[Column] = (),
    view: Sequence[ViewColumn] = (),
    kept: Sequence[Kept] = (),
    by_user: bool = False,
    edges: Sequence[Edge] = (),
) -> RecordType:
    """The type of the records of ``collection``.

    ``rules`` are those that only this type has, ``made`` columns that are computed from others, and ``claimed``
    says that plain records have a ``createdAt``. ``claim_asked``: people ask for it, so that files of closed hours
    have it as it is; ``kept``: what only this type keeps in another way there. The rest is as in
    :class:`firehose.records.base.RecordType`.
    """
    derived = derivation.columns if derivation is not None else ()
    return RecordType(
        name=name,
        queue=queue,
        collections=(collection,),
        columns=(*WITNESSED, *COMMIT, *columns_of(fields), *derived, *made),
        identity=OPERATION,
        sort=sort,
        rules=(*OPERATION_RULES, *rules),
        fields=tuple(fields),
        derivation=derivation,
        fast=fast(fields, derivation, claimed=claimed),
        view=tuple(view),
        kept=(KEY_CLOCK, REVISION, *(() if claim_asked else (CLAIM,)), *kept, kept_cid(collection, fields)),
        by_user=by_user,
        edges=tuple(edges),
    )
