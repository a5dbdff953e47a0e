"""Selects the events of an archive that a gap needs: those of its queue and of the wanted collections. Pure."""

from __future__ import annotations

from typing import NamedTuple

from firehose import schema
from firehose.backfill.format import EVENTS, Row
from ingester.contract import wire


class Wanted(NamedTuple):
    """The events of ``queue`` (empty: all queues) and of ``collections``, comma-separated (empty: all)."""

    queue: str
    collections: str

    @property
    def plan(self) -> tuple[list[str], list[str]]:
        """Kinds and collections to request a plan for; an empty list means all. More may come than is wanted."""
        kinds = [kind for kind, queue in wire.KIND_QUEUES.items() if queue == self.queue]
        if kinds:
            return kinds, []
        if self.queue in schema.COLLECTIONS:
            return ["commit"], [schema.COLLECTIONS[self.queue]]
        return [], self._patterns()

    def has(self, row: Row) -> bool:
        """True if the stream would have sent this event, and into this queue."""
        kind = EVENTS.get(row.kind, "")
        # A row that cannot be converted becomes a dead letter, in the queue of all other events.
        collection = row.collection.decode(errors="replace")
        if not kind and (collection or row.is_known):  # an unknown kind may be a record's too
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
