"""Which events of the archive a gap is about: those of its queue, of collections that are listened to. Pure."""

from __future__ import annotations

from typing import NamedTuple

from firehose import schema
from firehose.backfill.format import EVENTS, Row
from ingester.contract import wire


class Wanted(NamedTuple):
    """``queue`` empty: all queues. ``collections`` as in the settings: comma-separated, empty for all."""

    queue: str
    collections: str

    @property
    def plan(self) -> tuple[list[str], list[str]]:
        """Kinds and collections to ask a plan for, an empty list for all. It may hold more than is wanted."""
        kinds = [kind for kind, queue in wire.KIND_QUEUES.items() if queue == self.queue]
        if kinds:
            return kinds, []
        if self.queue in schema.COLLECTIONS:
            return ["commit"], [schema.COLLECTIONS[self.queue]]
        return [], self._patterns()

    def has(self, row: Row) -> bool:
        """Whether the stream would have sent this event, into this queue."""
        kind = EVENTS.get(row.kind, "")
        # What cannot be told becomes a dead letter, which is in the queue of all others.
        collection = row.collection.decode(errors="replace")
        if not kind and (collection or row.is_known):  # of a kind to come as well: it may be a record's
            if not self._wants(collection):
                return False
            queue = wire.COLLECTION_QUEUES.get(collection, wire.OTHER)
        else:
            queue = wire.KIND_QUEUES.get(kind, wire.OTHER)
        return not self.queue or queue == self.queue

    def _patterns(self) -> list[str]:
        return [name.strip() for name in self.collections.split(",") if name.strip()]

    def _wants(self, collection: str) -> bool:
        patterns = self._patterns()
        return not patterns or any(
            collection.startswith(pattern[:-1]) if pattern.endswith(".*") else collection == pattern
            for pattern in patterns
        )
