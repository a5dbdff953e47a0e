"""A record type: its columns, identity, order, rules, and how its records become rows and come back.

Lives here: the declaration that the files of this package fill in. Must not: know any column or single type,
decode a line, do I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

from firehose.records.columns import Column, Derivation, Edge, ViewColumn
from firehose.records.fast import Fast
from firehose.records.fields import Field
from firehose.records.kept import Kept
from firehose.records.rules import Rule


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordType:
    """One record type: an hour file each, a view each.

    ``queue`` is the ingester's queue that its events come through; several types may share one. ``kind`` is the
    kind of its events; ``imported``: its rows are no events, but what an earlier system
    kept. ``collections`` are those of its records; empty: those that no other type of its queue has.
    ``fields`` and ``derivation`` say which columns hold which part of a record; ``extra`` holds the rest.
    ``sort`` is the column by whose values an hour's rows are sorted. ``fast`` decodes records of the plain shape.
    ``view`` are columns that only the view has. ``kept`` are those that files of closed hours keep in another way,
    each after those that it needs. ``by_user``: large accounts may have files of their own in an hour. ``edges``:
    what its records are about.
    """

    name: str
    queue: str
    kind: Literal["commit", "identity", "account", "imported"] = "commit"
    collections: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    sort: str
    rules: tuple[Rule, ...]
    fields: tuple[Field, ...] = ()
    derivation: Derivation | None = None
    fast: Fast | None = None
    view: tuple[ViewColumn, ...] = ()
    kept: tuple[Kept, ...] = ()
    by_user: bool = False
    edges: tuple[Edge, ...] = ()

    @property
    def is_commit(self) -> bool:
        """Whether rows are operations on records (create, update, delete)."""
        return self.kind == "commit"

    @property
    def is_event(self) -> bool:
        """Whether rows are events that a host has sent."""
        return self.kind != "imported"

    @property
    def collection(self) -> str:
        """The collection of every record of the type; empty where a column names it."""
        return self.collections[0] if self.collections else ""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the type's files."""
        return pa.schema([(column.name, column.type) for column in self.columns])

    @cached_property
    def decoded(self) -> tuple[str, ...]:
        """The names of the columns that a decoded row gives, in order; the others are computed of these."""
        made = {"batch", "created_at_raw", *(column.name for column in self.columns if column.make)}
        return tuple(column.name for column in self.columns if column.name not in made)
