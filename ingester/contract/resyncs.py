"""Tells the records that a resync sends again from new ones: a ``sync`` event names an account's new revision, and
then every record of the account comes as a create under it.

Lives here: the latest revisions that were announced, bounded, and the mark on a line. Must not: I/O, clocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw

#: Revisions that are remembered. A server sends an account's records right after its sync event, so that only as
#: many accounts as are being sent again at the same time need to be known.
MOST: Final = 256
#: The field of a commit that says so: true, or not there. Only the ingester and the archive's reader set it.
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

    ``known`` is empty while there is none: a look at it spares nearly every event a call.
    """

    __slots__ = ("_encoded", "_revs", "known")

    def __init__(self) -> None:
        # In the order of the last use; and how often each revision occurs there, in JSON, to say no quickly.
        self.known: dict[tuple[str, str], None] = {}
        self._revs: dict[bytes, int] = {}
        self._encoded: bytes | None = b"[]"

    @property
    def state(self) -> bytes:
        """What :meth:`learn` takes."""
        if self._encoded is None:
            self._encoded = _encode(list(self.known))
        return self._encoded

    def learn(self, state: bytes) -> None:
        """Take over what another process knew; what cannot be read, of another version, is as if it knew none."""
        try:
            known: Iterable[tuple[str, str]] = _state(state or b"[]")
        except _UNREADABLE:
            return
        for did, rev in known:
            self.announce(did, rev)

    def announce(self, did: str, rev: str) -> None:
        """A sync event: the account's records come again under this revision."""
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
        """Whether a create under this revision is a record sent again."""
        if (did, rev) not in self.known:
            return False
        self.known[did, rev] = self.known.pop((did, rev))  # of those at work none is forgotten
        return True

    def take(self, line: bytes) -> bytes:
        """Note the sync event of a line in v1's form; the create of a known revision is returned with the mark."""
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
    """A commit in v1's form with the mark; the bytes of its record stay as they are."""
    event = _parts(line)
    commit = _parts(event["commit"])
    return _encode({**event, "commit": {**commit, MARK: Raw(b"true")}})
