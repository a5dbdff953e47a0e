"""Things that people do more than once: undo and redo, write twice, edit, and share what others share.

Lives here: who repeats what, bounded in size. Must not: record layouts, JSON.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from jetstream_simulator import text
from jetstream_simulator.population import Made, Population, Post

#: The share of deleted records that are written again, by kind of habit.
_REDONE: Final = 0.25
_SAME_KEY: Final = 0.2
#: How many writes are a second record about the same subject, and how many posts are an edit.
_TWICE: Final = 0.004
_EDITS: Final = 0.004
#: The share of posts that begin a campaign, in which a few accounts post one link within seconds.
_CAMPAIGNS: Final = 0.003
_REMEMBERED: Final = 2_000


class Again(NamedTuple):
    """A write that repeats an earlier one: its account and subject; ``rkey`` where it takes the same key."""

    account: int
    subject: Post | str | None
    rkey: str = ""
    operation: str = "create"


class Habits:
    """Chooses which of the next writes repeats something. All chance is of the one seeded source."""

    def __init__(self, rng: Random, people: Population) -> None:
        self._rng = rng
        self._people = people
        self._undone: dict[str, list[Made]] = {}
        self._named: list[int] = []
        self._campaign: list[tuple[int, str]] = []

    def undone(self, kind: str, made: Made) -> None:
        """A record was deleted; its account may write it again."""
        undone = self._undone.setdefault(kind, [])
        if self._rng.random() < _REDONE and len(undone) < _REMEMBERED:
            undone.append(made)

    def repeated(self, kind: str, *, posts: bool) -> Again | None:
        """The record that the next write of this kind repeats, if any. ``posts``: the kind is posts."""
        rng = self._rng
        drawn = rng.random()
        if drawn < _EDITS and posts:
            made = self._people.some_made(kind)
            return Again(made.account, None, made.rkey, "update") if made else None
        if drawn < _TWICE and not posts:
            made = self._people.some_made(kind)
            return Again(made.account, made.subject) if made else None
        undone = self._undone.get(kind)
        if undone and drawn > 0.98:
            made = undone.pop(int(len(undone) * rng.random()))
            return Again(made.account, made.subject, made.rkey if posts or rng.random() < _SAME_KEY else "")
        return None

    def renamed(self, account: int) -> int:
        """Whose identity event comes next: often that of an account that had one before."""
        rng, named = self._rng, self._named
        if named and rng.random() < 0.3:
            return named[int(len(named) * rng.random())]
        if len(named) < _REMEMBERED:
            named.append(account)
        return account

    def campaign(self) -> tuple[int, str] | None:
        """The account and the link of the next post of a campaign, if one is on."""
        if not self._campaign and self._rng.random() < _CAMPAIGNS:
            link, size = text.link(self._rng), 3 + int(self._rng.random() * 4)
            self._campaign = [(self._people.account(), link) for _ in range(size)]
        return self._campaign.pop() if self._campaign else None
