"""Makes events without end: the mix, sizes, skew and quirks of the real network, the same for the same seed.

Lives here: which event comes next, and its JSON line. Must not: I/O, pacing (the caller says the time).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import log
from random import Random
from typing import Any, Final, NamedTuple

from jetstream_simulator import accounts, identifiers, malformed, posts, records
from jetstream_simulator.clocks import Clocks
from jetstream_simulator.habits import Again, Habits
from jetstream_simulator.lines import commit_line
from jetstream_simulator.population import Made, Population, Post
from jetstream_simulator.records import (
    ACCOUNT,
    BLOCK,
    DELETES,
    FOLLOW,
    IDENTITY,
    LIKE,
    LIST_ITEM,
    MAKERS,
    MIX,
    POST,
    PROFILE,
    REPOST,
    WITH_BLOBS,
)

_ABOUT: Final = {IDENTITY: accounts.identity, ACCOUNT: accounts.account}
_REPEATED: Final = (LIKE, REPOST, FOLLOW, BLOCK, POST)
_KINDS: Final = list(MIX)
_WEIGHTS: Final = list(accumulate(MIX.values()))
_BURSTS: Final = (FOLLOW, LIST_ITEM, LIKE, POST)
DEFAULT_START_US: Final = 1_780_000_000_000_000  # 2026-05-28
DEFAULT_RATE: Final = 500.0


class _Commit(NamedTuple):
    account: int
    rev: str
    kind: str
    left: int  # operations that still follow with the same rev


class Generator:
    """An endless source of events. Each one needs a later ``time_us`` than the one before."""

    def __init__(self, seed: int = 0, malformed_rate: float = 0.0) -> None:
        self._rng = Random(seed)
        self._people = Population(seed, self._rng)
        self._clocks = Clocks()
        self._habits = Habits(self._rng, self._people)
        self._malformed_rate = malformed_rate
        self._commit: _Commit | None = None
        self._seq = 30_340_180_350

    def event(self, time_us: int) -> bytes:
        """The next event as one line of JSON, witnessed at ``time_us`` (microseconds)."""
        rng = self._rng
        if self._commit is not None:
            return self._continue(self._commit, time_us)
        if self._malformed_rate and rng.random() < self._malformed_rate:
            return self._malformed(time_us)
        kind = rng.choices(_KINDS, cum_weights=_WEIGHTS)[0]
        account = self._people.account()
        if kind in _ABOUT:
            account = self._habits.renamed(account)
            return _ABOUT[kind](rng, self._people.did(account), self._next_seq(), time_us)
        chance = rng.random()
        if chance < DELETES.get(kind, 0.0):
            return self._delete(kind, account, time_us)
        if chance > 0.997:
            return self._burst(account, time_us)
        return self._one(kind, account, time_us)

    def _one(self, kind: str, account: int, time_us: int) -> bytes:
        """A commit of one write, which may repeat an earlier one."""
        if kind in _REPEATED and (again := self._habits.repeated(kind, posts=kind == POST)):
            return self._write(kind, again.account, self._clocks.rev(again.account, time_us), time_us, again)
        if kind == POST and (shared := self._habits.campaign()):
            account, link = shared
            return self._write(kind, account, self._clocks.rev(account, time_us), time_us, link=link)
        return self._write(kind, account, self._clocks.rev(account, time_us), time_us)

    def _burst(self, account: int, time_us: int) -> bytes:
        """The first of several operations of one commit."""
        size = 2 + int(self._rng.expovariate(0.4)) % 19
        commit = _Commit(account, self._clocks.rev(account, time_us), self._rng.choice(_BURSTS), size)
        return self._continue(commit, time_us)

    def _continue(self, commit: _Commit, time_us: int) -> bytes:
        left = commit.left - 1
        self._commit = commit._replace(left=left) if left else None
        return self._write(commit.kind, commit.account, commit.rev, time_us)

    def _write(
        self, kind: str, account: int, rev: str, time_us: int, again: Again | None = None, link: str = ""
    ) -> bytes:
        """A create, or an update of what has a fixed key; ``again`` is the earlier write that it repeats."""
        rng, people = self._rng, self._people
        did = people.did(account)
        created = records.created_at(rng, time_us, by_server=kind != POST)
        rkey = (again.rkey if again else "") or self._rkey(kind, account, time_us)
        operation = "create"
        subject: Post | str | None = again.subject if again else None
        if kind in (LIKE, REPOST):
            subject = subject if isinstance(subject, Post) else people.subject(time_us)
            record = records.on_post(rng, people, kind, created, time_us, subject)
        elif kind in (FOLLOW, BLOCK):
            subject = subject if isinstance(subject, str) else people.did(people.account())
            record = records.on_account(kind, created, subject)
        elif kind == POST:
            record, parent = posts.post(rng, people, created, time_us, link)
            operation = again.operation if again else "create"
            return self._post(record, parent, account, rev, rkey, operation, time_us)
        elif kind == PROFILE:
            record, rkey = records.profile(rng, created), "self"
            operation = "update" if rng.random() < 0.8 else "create"
        elif kind in MAKERS:
            record = MAKERS[kind](rng, people, did, created, time_us)
        else:
            kind, fixed, record = records.other(rng, people, did, created, time_us)
            if fixed is not None:
                operation, rkey = "update" if rng.random() < 0.5 else "create", fixed
        if kind in DELETES:
            people.add_made(kind, Made(account, rkey, subject))
        return commit_line(did, time_us, rev, operation, kind, rkey, record, links=kind in WITH_BLOBS)

    def _post(
        self,
        record: dict[str, Any],
        parent: Post | None,
        account: int,
        rev: str,
        rkey: str,
        operation: str,
        time_us: int,
    ) -> bytes:
        did, cid = self._people.did(account), identifiers.record_cid(record, links="embed" in record)
        uri = f"at://{did}/{POST}/{rkey}"
        root = (parent.root_uri, parent.root_cid) if parent else (uri, cid)
        self._people.add_post(Post(uri, cid, *root))
        if operation == "create":
            self._people.add_made(POST, Made(account, rkey))
        return commit_line(did, time_us, rev, operation, POST, rkey, record, cid=cid)

    def _delete(self, kind: str, account: int, time_us: int) -> bytes:
        """Mostly of a record that an earlier event created; else of one from before the simulation."""
        made = self._people.take_made(kind) if self._rng.random() < 0.7 else None
        if made:
            account, rkey = made.account, made.rkey
            self._habits.undone(kind, made)
        else:
            rkey = self._people.unknown_rkey(time_us - 86_400_000_000)
        rev = self._clocks.rev(account, time_us)
        return commit_line(self._people.did(account), time_us, rev, "delete", kind, rkey, None)

    def _malformed(self, time_us: int) -> bytes:
        account, post = self._people.account(), self._people.recent_post(time_us)
        envelope = malformed.Envelope(
            did=self._people.did(account),
            time_us=time_us,
            rev=self._clocks.rev(account, time_us),
            rkey=self._rkey(LIKE, account, time_us),
            created_at=identifiers.iso(time_us),
            subject={"cid": post.cid, "uri": post.uri},
        )
        return malformed.malformed_line(self._rng, envelope)

    def _rkey(self, kind: str, account: int, time_us: int) -> str:
        drawn = self._rng.getrandbits(11)
        if kind == POST:
            return self._clocks.post_key(account, time_us, drawn)
        return self._clocks.key(account, time_us, 3 + int(-14 * log((drawn + 1) / 2048)))

    def _next_seq(self) -> int:
        self._seq += 1 + self._rng.getrandbits(6)
        return self._seq


def events(
    n: int,
    *,
    seed: int = 0,
    start_us: int = DEFAULT_START_US,
    rate: float = DEFAULT_RATE,
    malformed: float = 0.0,
) -> Iterator[bytes]:
    """``n`` events, one JSON line (without newline) each, ``rate`` of them to a second from ``start_us`` on.

    ``malformed`` is the share (0 to 1) of events that are invalid. The same arguments give the same bytes.
    """
    generator = Generator(seed, malformed)
    for i in range(n):
        yield generator.event(event_time_us(start_us, i, rate))


def event_time_us(start_us: int, i: int, rate: float) -> int:
    """When event number ``i`` happens: evenly spread, and never two in one microsecond."""
    return start_us + int(i * max(1.0, 1e6 / rate))
