"""Cohorts: named lists of accounts, a Parquet file each in the lake, which views and other tools read alike.

Lives here: reading a list, whose handle was whose at a moment, the files. Must not: print, know what members did.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from firehose.areas import Area
from firehose.errors import FirehoseError
from firehose.store import L, LakePath
from firehose.warehouse.client import clickhouse_errors

SCHEMA: Final = pa.schema(
    [
        pa.field("cohort", pa.string(), nullable=False),
        pa.field("did", pa.string(), nullable=False),
        pa.field("named", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC")),
    ]
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DID: Final = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+")
_HANDLE: Final = re.compile(r"@?([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)
#: Who had each handle at a moment, as identity events say: of those with it, the account that was last said to be.
_HOLDERS: Final = """
SELECT handle, argMax(did, said)
FROM
(
    SELECT did, argMax(handle, (at, seq)) AS handle, max(at) AS said
    FROM
    (
        SELECT did, handle, at, seq FROM ops.account_changes
        WHERE handle != '' AND at <= {at:DateTime64(6, 'UTC')}
            AND did IN (SELECT did FROM ops.account_changes WHERE handle IN {handles:Array(String)})
    )
    GROUP BY did
)
WHERE handle IN {handles:Array(String)}
GROUP BY handle"""


class Member(NamedTuple):
    """An account of a cohort. ``named`` is what the list said, ``at`` the moment for which a handle was taken."""

    did: str
    named: str
    at: datetime | None = None


def read_list(path: Path) -> list[str]:
    """The DIDs and handles of a file: one a line, or the first column of a CSV; ``#`` begins a comment.

    Raises:
        FirehoseError: it cannot be read, is empty, or has a line that is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FirehoseError(f"{path} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        (first, *_) = next(csv.reader(io.StringIO(line.partition("#")[0])), [""]) or [""]
        name = first.strip()
        if not name or (number == 1 and name.lower() in ("did", "handle", "account")):
            continue
        if not _DID.fullmatch(name) and not _HANDLE.fullmatch(name):
            raise FirehoseError(
                f"{path}, line {number}: {name!r} is neither a DID nor a handle; nothing was stored"
            )
        found.append(name)
    if not found:
        raise FirehoseError(f"{path} names no account: write a DID or a handle on each line")
    return list(dict.fromkeys(found))


def members(client: Client | None, names: Iterable[str], at: datetime) -> list[Member]:
    """The accounts that these DIDs and handles stand for, each once. Only handles need a ClickHouse.

    Raises:
        FirehoseError: a handle was nobody's at that moment, as far as events say.
    """
    handles = {name: match[1].lower() for name in names if (match := _HANDLE.fullmatch(name))}
    held = _holders(client, sorted({*handles.values()}), at) if handles else {}
    if unknown := [name for name, handle in handles.items() if handle not in held]:
        raise FirehoseError(
            f"{len(unknown)} handles are no account's at {at:%Y-%m-%dT%H:%M:%SZ}, the first is {unknown[0]}: no"
            " identity event before it says whose it was. Put DIDs into the list instead, or name another moment"
            " with --at; nothing was stored"
        )
    found = (Member(held[handles[n]], n, at) if n in handles else Member(n, n) for n in names)
    return list({member.did: member for member in found}.values())


def write(lake: LakePath, cohort: str, of: Sequence[Member]) -> None:
    """Store a cohort, in place of the one of this name.

    Raises:
        FirehoseError: the name cannot be a file's.
    """
    rows = [{"cohort": cohort, **member._asdict()} for member in of]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink)
    _file(lake, cohort).write(sink.getvalue())


def read(lake: LakePath, cohort: str) -> list[Member]:
    """The members of a cohort.

    Raises:
        FirehoseError: no cohort has this name.
    """
    file = _file(lake, cohort)
    if not file.exists():
        raise FirehoseError(f"there is no cohort {cohort!r}: there are {', '.join(names(lake)) or 'none'}")
    with file.reading() as stream:
        rows = pq.read_table(stream).to_pylist()
    return [Member(row["did"], row["named"], row["at"]) for row in rows]


def names(lake: LakePath) -> list[str]:
    """The names of all cohorts."""
    return sorted(file.name.removesuffix(".parquet") for file in Area.COHORTS.of(lake).find("*.parquet"))


def remove(lake: LakePath, cohort: str) -> int:
    """Forget a cohort; how many members it had. Nothing of what they did is removed.

    Raises:
        FirehoseError: no cohort has this name.
    """
    count = len(read(lake, cohort))
    _file(lake, cohort).remove()
    return count


def _file(lake: L, cohort: str) -> L:
    if not _NAME.fullmatch(cohort):
        raise FirehoseError(f"{cohort!r} cannot be a cohort's name: use letters, digits, '.', '_' and '-'")
    return Area.COHORTS.of(lake) / f"{cohort}.parquet"


def _holders(client: Client | None, handles: list[str], at: datetime) -> dict[str, str]:
    if client is None:
        raise FirehoseError("handles are looked up in ClickHouse, which is needed for this list")
    with clickhouse_errors():
        asked = {"handles": handles, "at": at}
        return {handle: did for handle, did in client.query(_HOLDERS, parameters=asked).result_rows}  # noqa: C416
