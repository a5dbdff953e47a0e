"""The simulated accounts and what they have made so far: who acts, on which subjects, and what can be deleted.

Lives here: the state of the synthetic network, bounded in size. Must not: record layouts, JSON.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple, TypeVar

from jetstream_simulator import identifiers, text

T = TypeVar("T")

ACCOUNTS: Final = 100_000
# Zipf-Mandelbrot: p(i) ~ 1/(i + _SHIFT) gives about 945 accounts in 1,000 events, as measured on the network.
_SHIFT: Final = 250
_RATIO: Final = (ACCOUNTS + _SHIFT) / _SHIFT
_RECENT: Final = 20_000
_DELETABLE: Final = 20_000
_LINKS: Final = 4_000


class Post(NamedTuple):
    """A post that others can answer, like or repost; ``root`` is where its thread began."""

    uri: str
    cid: str
    root_uri: str
    root_cid: str


class Made(NamedTuple):
    """A record that exists, by its account's number and its key, and what it is about (of posts: nothing)."""

    account: int
    rkey: str
    subject: Post | str | None = None


class Population:
    """Accounts, recent posts and deletable records, all drawn from one seeded source."""

    def __init__(self, seed: int, rng: Random) -> None:
        self._seed = seed
        self._rng = rng
        self._dids: dict[int, str] = {}
        self._posts: list[Post] = []
        self._liked: list[Post] = []
        self._made: dict[str, list[Made]] = {}
        self._links: list[str] = []

    def account(self) -> int:
        """The number of the account that acts next."""
        return int(_SHIFT * _RATIO ** self._rng.random()) - _SHIFT

    def did(self, account: int) -> str:
        """The DID of account number ``account``."""
        known = self._dids.get(account)
        if known is None:
            known = self._dids[account] = identifiers.did(self._seed, account)
        return known

    def add_post(self, post: Post) -> None:
        """Remember a post; beyond the limit it takes the place of a random earlier one."""
        _remember(self._posts, post, _RECENT, self._rng)

    def add_made(self, collection: str, made: Made) -> None:
        """Remember a record that a later event may delete."""
        _remember(self._made.setdefault(collection, []), made, _DELETABLE, self._rng)

    def some_made(self, collection: str) -> Made | None:
        """A record that exists, if one is remembered; it stays remembered."""
        made = self._made.get(collection)
        return made[int(len(made) * self._rng.random())] if made else None

    def take_made(self, collection: str) -> Made | None:
        """A record to delete, which no other event will delete; None while there is none."""
        made = self._made.get(collection)
        if not made:
            return None
        i = int(len(made) * self._rng.random())
        made[i], made[-1] = made[-1], made[i]
        return made.pop()

    def subject(self, now_us: int) -> Post:
        """A post to like or repost: often one that was liked before, so that few posts get most likes."""
        drawn = self._rng.random()
        if drawn < 0.55 and self._liked:
            return self._liked[int(len(self._liked) * self._rng.random())]
        post = self.recent_post(now_us) if drawn < 0.85 else self.unknown_post(now_us)
        _remember(self._liked, post, _RECENT, self._rng)
        return post

    def link(self) -> str:
        """A link to post: often one that was posted before, so that few links are in most posts."""
        rng = self._rng
        if self._links and rng.random() < 0.5:
            # Those at the front are the well-known ones: a power law.
            return text.respelt(rng, self._links[int(len(self._links) * rng.random() ** 4)])
        new = text.link(rng)
        _remember(self._links, new, _LINKS, rng)
        return new

    def recent_post(self, now_us: int) -> Post:
        """A post made in this simulation, or an unknown one while there is none."""
        if not self._posts:
            return self.unknown_post(now_us)
        return self._posts[int(len(self._posts) * self._rng.random())]

    def unknown_post(self, now_us: int) -> Post:
        """A post from before the simulation, up to half a year old."""
        rng = self._rng
        age_us = int(1.6e13 * rng.random() ** 3)
        key = self.unknown_rkey(now_us - age_us, by_client=True)
        uri = f"at://{self.did(self.account())}/app.bsky.feed.post/{key}"
        cid = identifiers.hash_cid(rng.randbytes(32))
        return Post(uri, cid, uri, cid)

    def unknown_rkey(self, time_us: int, *, by_client: bool = False) -> str:
        """A record key of about ``time_us`` that no event of this simulation created.

        ``by_client``: as clients name posts, in whole milliseconds.
        """
        ms, drawn = (time_us - self._rng.getrandbits(24)) // 1000, self._rng.getrandbits(10)
        return identifiers.tid(ms * 1000 + (0 if by_client else (drawn >> 5) * 31), drawn & 31)


def _remember(kept: list[T], item: T, limit: int, rng: Random) -> None:
    if len(kept) < limit:
        kept.append(item)
    else:
        kept[int(limit * rng.random())] = item
