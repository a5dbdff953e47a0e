"""Distinguishes records that a resync sends again from new ones.

A ``sync`` event names an account's new revision; then every record of the account comes as a create under it.
Lives here: the latest announced revisions, bounded, and the mark on a line. Must not: I/O, clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

from ingester.contract import metrics
from ingester.contract.counting import count
from ingester.contract.losses import LossPath

#: How many revisions are remembered. A server sends an account's records right after its sync event, so this is
#: the number of accounts that may be sent again at the same time.
MOST: Final = 256
#: The field of a commit that marks a resync: true, or absent. Only the ingester and the archive's reader set it.
MARK: Final = "resync"


class _Commit(msgspec.Struct, gc=False):
    rev: str = ""
    operation: str = ""


class _Sync(msgspec.Struct, gc=False):
    rev: str = ""


class _Event(msgspec.Struct, gc=False):
    did: str
    kind: str
    commit: _Commit | None = None
    sync: _Sync | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode
_parts: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_state: Final = msgspec.json.Decoder(list[tuple[str, str]]).decode
_encode: Final = msgspec.json.Encoder().encode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Resyncs:
    """The latest revisions that sync events have announced, at most :data:`MOST`.

    ``known`` is usually empty: checking that first saves a call for nearly every event.
    """

    __slots__ = ("_encoded", "_revs", "known")

    def __init__(self) -> None:
        # known is in the order of last use; _revs counts each revision in it, as JSON, to say no quickly.
        self.known: dict[tuple[str, str], None] = {}
        self._revs: dict[bytes, int] = {}
        self._encoded: bytes | None = b"[]"

    @property
    def state(self) -> bytes:
        """The state for :meth:`learn`."""
        if self._encoded is None:
            self._encoded = _encode(list(self.known))
        return self._encoded

    def learn(self, state: bytes) -> None:
        """Take over the state of another process; it is ignored if it cannot be read, as from another version."""
        try:
            known: Iterable[tuple[str, str]] = _state(state or b"[]")
        except _UNREADABLE:
            count(metrics.LOSSES, label=LossPath.STATE_UNREADABLE.code)
            return
        for did, rev in known:
            self.announce(did, rev)

    def announce(self, did: str, rev: str) -> None:
        """Remember a sync event: the account's records will come again under this revision."""
        if (did, rev) in self.known:
            self.known.pop((did, rev))
        else:
            quoted = _encode(rev)
            self._revs[quoted] = self._revs.get(quoted, 0) + 1
        self.known[did, rev] = None
        self._encoded = None
        if len(self.known) > MOST:
            self._forget()

    def may_have(self, rev: bytes) -> bool:
        """False for nearly every commit; ``rev`` is its revision as a JSON string."""
        return rev in self._revs

    def has(self, did: str, rev: str) -> bool:
        """True if a create under this revision sends a record again."""
        if (did, rev) not in self.known:
            return False
        # Moved to the end, so that it is not forgotten while in use.
        self.known[did, rev] = self.known.pop((did, rev))
        return True

    def take(self, line: bytes) -> bytes:
        """Remember the sync event of a line in v1's form; a create under a known revision is returned marked."""
        try:
            event = _decode(line)
        except _UNREADABLE:
            return line
        if event.kind == "sync" and event.sync is not None and event.sync.rev:
            self.announce(event.did, event.sync.rev)
        commit = event.commit
        if event.kind != "commit" or commit is None or commit.operation != "create":
            return line
        return marked(line) if self.has(event.did, commit.rev) else line

    def _forget(self) -> None:
        oldest = next(iter(self.known))
        del self.known[oldest]
        quoted = _encode(oldest[1])
        self._revs[quoted] -= 1
        if not self._revs[quoted]:
            del self._revs[quoted]


def marked(line: bytes) -> bytes:
    """A commit in v1's form, with the mark; the bytes of its record are unchanged."""
    event = _parts(line)
    commit = _parts(event["commit"])
    return _encode({**event, "commit": {**commit, MARK: Raw(b"true")}})
