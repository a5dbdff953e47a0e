"""What a reader asks of a dataset: a type, a span of time, accounts, a sample, columns; checked, as plain values.

Lives here: what each argument may be, and the errors that say so. Must not: SQL, I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Final, Literal, TypedDict

from firehose import schema
from firehose.errors import FirehoseError
from firehose.records.columns import ViewColumn
from firehose.records.registry import REGISTRY
from firehose.warehouse.columns import EVENTS, view_columns

#: A time with its zone, a day in UTC, or either as text.
Moment = str | date | datetime
By = Literal["account", "record"]
ALL_EVENTS: Final = "events"
#: What can be read: the record types, and all of them in one.
TYPES: Final = (*schema.EVENT_TYPES, ALL_EVENTS)
_DID: Final = re.compile(r"did:[a-z]+:[^\s\\]+")
_WITHOUT_RECORDS: Final = frozenset(name for name, of in REGISTRY.items() if not of.is_commit) | {ALL_EVENTS}


class Narrowing(TypedDict, total=False):
    """The arguments of ``read`` and ``where``."""

    since: Moment | None
    until: Moment | None
    accounts: Iterable[str] | None
    sample: float | None
    sample_by: By
    columns: Iterable[str] | None


@dataclass(frozen=True)
class Asked:
    """Rows of one type. Times are microseconds since 1970, ``since`` included, ``until`` not; None: no limit."""

    record_type: str
    since: int | None = None
    until: int | None = None
    accounts: tuple[str, ...] | None = None
    sample: float | None = None
    sample_by: By = "account"
    columns: tuple[str, ...] | None = None

    def narrowed(self, by: Narrowing) -> Asked:
        """The same with what is given in place of what was asked before.

        Raises:
            FirehoseError: a value makes no sense; the message says which one would.
        """
        made = self
        if "since" in by:
            made = replace(made, since=_microseconds(by["since"], "since"))
        if "until" in by:
            made = replace(made, until=_microseconds(by["until"], "until"))
        if "accounts" in by:
            made = replace(made, accounts=_accounts(by["accounts"]))
        if "sample" in by:
            made = replace(made, sample=_share(by["sample"]))
        if "sample_by" in by:
            made = replace(made, sample_by=by["sample_by"])
        if "columns" in by:
            made = replace(made, columns=_columns(self.record_type, by["columns"]))
        return _checked(made)

    @property
    def shown(self) -> list[ViewColumn]:
        """The columns of the answer, as the schema declares them."""
        declared = columns_of(self.record_type)
        if self.columns is None:
            return declared
        by_name = {column.name: column for column in declared}
        return [by_name[name] for name in self.columns]


def of_type(record_type: str) -> Asked:
    """All rows of a type.

    Raises:
        FirehoseError: an unknown type.
    """
    if record_type not in TYPES:
        raise FirehoseError(f"{record_type!r} is not a record type: write one of {', '.join(TYPES)}")
    return Asked(record_type)


def columns_of(record_type: str) -> list[ViewColumn]:
    """The columns of a type's view."""
    return [*EVENTS] if record_type == ALL_EVENTS else view_columns(record_type)


def _checked(asked: Asked) -> Asked:
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise FirehoseError("since is not before until: the span is empty; until is the first moment after it")
    if asked.sample_by not in ("account", "record"):
        raise FirehoseError(f"sample_by is {asked.sample_by!r}: write 'account' or 'record'")
    if asked.sample_by == "record" and asked.record_type in _WITHOUT_RECORDS:
        raise FirehoseError(
            f"{asked.record_type} has events that are of no record: leave sample_by out, which samples by account"
        )
    return asked


def _microseconds(moment: Moment | None, name: str) -> int | None:
    if moment is None:
        return None
    made = _instant(moment, name)
    since_1970 = made - datetime(1970, 1, 1, tzinfo=UTC)
    return since_1970.days * 86_400_000_000 + since_1970.seconds * 1_000_000 + since_1970.microseconds


def _instant(moment: Moment, name: str) -> datetime:
    if isinstance(moment, str):
        moment = _parsed(moment, name)
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), UTC)
    if moment.tzinfo is None:
        raise FirehoseError(
            f"{name}={str(moment)!r} names no time zone: write '{moment.isoformat()}Z' for UTC, or give a datetime"
            " with a tzinfo; a day alone is a day in UTC"
        )
    return moment


def _parsed(text: str, name: str) -> date | datetime:
    try:
        return date.fromisoformat(text) if len(text) <= len("2026-11-23") else datetime.fromisoformat(text)
    except ValueError:
        raise FirehoseError(
            f"{name}={text!r} is not a time: write '2026-11-23' for a day in UTC, or '2026-11-23T05:00:00Z'"
        ) from None


def _accounts(given: Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    made = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    for account in made:
        if not isinstance(account, str) or not _DID.fullmatch(account):
            raise FirehoseError(
                f"{account!r} is not a DID (did:plc:…): handles change hands; the view firehose.handles has whose"
                " they were"
            )
    return made


def _share(given: float | None) -> float | None:
    if given is not None and not 0 < given <= 1:
        raise FirehoseError(f"sample={given} is not a share: 0.01 takes one account, or record, in a hundred")
    return given


def _columns(record_type: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    known = [column.name for column in columns_of(record_type)]
    made = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    if unknown := [name for name in made if name not in known]:
        raise FirehoseError(f"{record_type} has no column {unknown[0]!r}; it has {', '.join(known)}")
    if not made:
        raise FirehoseError("columns is empty: name one at least, or leave it out for all")
    return made
