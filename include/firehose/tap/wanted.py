"""Which events are wanted: each condition must hold; of several values of one, any.

Must not: read a message, connect.
"""

from __future__ import annotations

from typing import NamedTuple

from firehose.jetstream import Host
from firehose.records.registry import REGISTRY
from firehose.tap.events import Seen

#: Names that a host takes at most in one subscription.
_MOST_COLLECTIONS = 100
_MOST_DIDS = 10_000


class Wanted(NamedTuple):
    """Conditions; an empty one holds for every event. Words are compared without regard to case."""

    types: tuple[str, ...] = ()
    dids: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

    def has(self, event: Seen) -> bool:
        """Tell whether an event is wanted."""
        return (
            (not self.types or event.type in self.types)
            and (not self.dids or event.did in self.dids)
            and (not self.collections or any(_matches(event.collection, name) for name in self.collections))
            and (not self.operations or event.operation in self.operations)
            and (not self.langs or any(_is_in(lang, self.langs) for lang in event.langs))
            and (not self.words or _has_word(event.text, self.words))
        )

    def query(self, host: Host) -> list[tuple[str, str]]:
        """The parameters by which a host leaves out what is not wanted; it may still send more than that."""
        names = self._collections() if not self.types or self.collections else self._of_types()
        asked = [("collections" if host.v2 else "wantedCollections", name) for name in names]
        dids = self.dids if len(self.dids) <= _MOST_DIDS else ()
        return asked + [("dids" if host.v2 else "wantedDids", did) for did in dids]

    def _collections(self) -> tuple[str, ...]:
        return self.collections if len(self.collections) <= _MOST_COLLECTIONS else ()

    def _of_types(self) -> tuple[str, ...]:
        """The collections of the types; none where a type has no collections of its own."""
        found = [REGISTRY[name].collections for name in self.types]
        return tuple(name for names in found for name in names) if all(found) else ()


def _matches(collection: str, name: str) -> bool:
    return collection.startswith(name[:-1]) if name.endswith(".*") else collection == name


def _is_in(lang: str, langs: tuple[str, ...]) -> bool:
    """``en`` stands for ``en-GB`` as well."""
    return any(lang.lower() == one.lower() or lang.lower().startswith(one.lower() + "-") for one in langs)


def _has_word(text: str, words: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return any(word.casefold() in folded for word in words)
