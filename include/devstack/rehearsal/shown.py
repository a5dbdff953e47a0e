"""What the views have to show, by the listing that the simulator wrote of the old store, and what they do show.

Must not: know stages, change anything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client

from firehose.errors import FirehoseError
from firehose.readers import Mode

#: The types whose records have a key in every store: exports of follows have none.
_VIEWS: Final = {
    "posts": "app.bsky.feed.post",
    "likes": "app.bsky.feed.like",
    "reposts": "app.bsky.feed.repost",
    "blocks": "app.bsky.graph.block",
}
#: Which mode shows the record of an account with this sample, of this day.
ModeOf = Callable[[float, date], Mode]


class _Event(msgspec.Struct):
    uri: str
    operation: str
    collection: str
    time_us: int
    stores: list[msgspec.Raw]
    planted: list[str] = []


class _Record(msgspec.Struct):
    """Where a created record is. ``day``: when the stream had it first."""

    day: date
    old: bool = False
    stream: bool = False


class Listing:
    """The records that were created, by type and address."""

    def __init__(self, path: Path) -> None:
        of = {collection: name for name, collection in _VIEWS.items()}
        self._records: dict[str, dict[str, _Record]] = {name: {} for name in _VIEWS}
        with path.open("rb") as lines:
            for line in lines:
                event = msgspec.json.decode(line, type=_Event)
                if event.operation == "create" and event.collection in of:
                    day = datetime.fromtimestamp(event.time_us / 1e6, UTC).date()
                    record = self._records[of[event.collection]].setdefault(event.uri, _Record(day))
                    record.old |= bool(event.stores)
                    record.stream |= "only-old" not in event.planted

    @property
    def count(self) -> int:
        """Of all records."""
        return sum(map(len, self._records.values()))

    def require(self, client: Client, mode_of: ModeOf) -> str:
        """See that the views show each record that they have to, no other one, and none twice; says what was seen.

        Raises:
            FirehoseError: they do not.
        """
        seen = 0
        for name, collection in _VIEWS.items():
            of = f"SELECT DISTINCT did, rkey FROM firehose.{name} WHERE operation = 'create'"
            shown = {f"at://{did}/{collection}/{rkey}" for did, rkey in client.query(of).result_rows}
            of = " UNION DISTINCT ".join(
                f"SELECT did, sample FROM firehose.{view}" for view in (name, f"seen_{name}")
            )
            samples: dict[str, float] = {did: float(sample) for did, sample in client.query(of).result_rows}
            wanted = {
                uri
                for uri, record in self._records[name].items()
                if _is_shown(record, mode_of(samples[uri.split("/")[2]], record.day))
            }
            if left := sorted(wanted - shown):
                raise FirehoseError(
                    f"the view {name} lacks {len(left)} of {len(wanted)} records, such as {left[0]}"
                )
            if more := sorted(shown - wanted):
                raise FirehoseError(
                    f"the view {name} shows {len(more)} records that it must not, such as {more[0]}"
                )
            _require_once(client, name)
            seen += len(shown)
        return f"the views show {seen:,} of {self.count:,} records, as the store's listing says, none twice"


def _is_shown(record: _Record, mode: Mode) -> bool:
    return (record.stream and mode is not Mode.LEGACY) or (record.old and mode is not Mode.NEW)


def _require_once(client: Client, name: str) -> None:
    """A record of the old system has no row beside one of the stream, and not two."""
    rows = client.query(
        f"SELECT did, rkey FROM firehose.{name} WHERE operation = 'create' GROUP BY did, rkey, cid"
        " HAVING countIf(rev IS NULL) > 0 AND count() > 1"
    ).result_rows
    if rows:
        raise FirehoseError(f"the view {name} has two rows of one record, such as {'/'.join(map(str, rows[0]))}")
