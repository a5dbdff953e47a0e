"""Records of every collection but posts: likes, reposts, follows, blocks, profiles, lists, and unknown ones.

Lives here: how often each collection comes, its records with sorted keys, and the forms of ``createdAt``.
Must not: making events.
"""

from __future__ import annotations

from math import exp
from random import Random
from typing import Any, Final

from jetstream_simulator import identifiers, text
from jetstream_simulator.population import Population, Post
from jetstream_simulator.posts import blob

POST, LIKE, REPOST = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost"
FOLLOW, BLOCK = "app.bsky.graph.follow", "app.bsky.graph.block"
PROFILE, LIST_ITEM = "app.bsky.actor.profile", "app.bsky.graph.listitem"
LIST, STARTER_PACK = "app.bsky.graph.list", "app.bsky.graph.starterpack"
IDENTITY, ACCOUNT, _OTHER = "identity", "account", "other"
#: What an event is about and how often, in percent (the network in 2026).
MIX: Final[dict[str, float]] = {
    LIKE: 66.5,
    POST: 12.0,
    REPOST: 11.0,
    FOLLOW: 8.0,
    BLOCK: 0.7,
    PROFILE: 0.6,
    LIST_ITEM: 0.3,
    LIST: 0.05,
    STARTER_PACK: 0.02,
    _OTHER: 0.23,
    IDENTITY: 0.3,
    ACCOUNT: 0.3,
}
#: How many of a collection's events delete a record; 13% of all events on follows do.
DELETES: Final = {
    **{LIKE: 0.028, POST: 0.03, REPOST: 0.04, FOLLOW: 0.13, BLOCK: 0.1},
    **dict.fromkeys((LIST_ITEM, LIST, STARTER_PACK), 0.1),
}
#: Collections whose records may hold blobs, which a CID counts as links.
WITH_BLOBS: Final = (PROFILE, LIST)
_DAY_US = 86_400_000_000
# One in about 5,000 records: not an instant, or one that few calendars hold.
_STRANGE = (
    "0001-01-01T00:00:00Z",
    "2826-03-04T05:06:07.000Z",
    "1970-01-01T00:00:00.000Z",
    "0000-00-00T00:00:00Z",
    "yesterday",
    "",
)


def created_at(rng: Random, time_us: int, *, by_server: bool = False) -> str:
    """The time that a client claims for an event at ``time_us``: mostly 0.7 s before, 32 s at the 99th
    percentile, sometimes years, and in the forms that clients write.

    ``by_server``: the record is one of those that servers name; few of their clients write another form.
    """
    claimed = time_us - int(700_000 * exp(1.643 * rng.gauss(0.0, 1.0)))
    form = rng.random()
    if form < 0.93:
        return identifiers.iso(claimed)
    if form < 0.932:  # imported from elsewhere
        return identifiers.iso(claimed - rng.randint(1, 4000) * _DAY_US)
    if form >= 0.9998:
        return rng.choice(_STRANGE)
    other = _other_form(rng, claimed, form)
    return identifiers.iso(claimed) if by_server and claimed % 10 else other


def _other_form(rng: Random, claimed: int, form: float) -> str:
    base = identifiers.iso(claimed)
    micros = f"{base[:-5]}.{claimed % 1_000_000:06d}"
    if form < 0.96:
        return micros + "+00:00"
    if form < 0.98:
        return base[:-5] + "Z"
    if form < 0.99:
        return f"{micros}{rng.randint(0, 999):03d}Z"
    offset_hours = rng.choice((-8, -5, -3, 1, 2, 9))
    local = identifiers.iso(claimed + offset_hours * 3_600_000_000)
    return f"{local[:-1]}{offset_hours:+03d}:00"


def on_post(
    rng: Random, people: Population, collection: str, created: str, now_us: int, subject: Post
) -> dict[str, Any]:
    """A like or a repost of ``subject``; 5% came about ``via`` a repost."""
    record: dict[str, Any] = {
        "$type": collection,
        "createdAt": created,
        "subject": {"cid": subject.cid, "uri": subject.uri},
    }
    if rng.random() < 0.05:
        repost = f"at://{people.did(people.account())}/app.bsky.feed.repost/{people.unknown_rkey(now_us)}"
        record["via"] = {"cid": identifiers.hash_cid(rng.randbytes(32)), "uri": repost}
    return record


def on_account(collection: str, created: str, subject: str) -> dict[str, Any]:
    """A follow or a block of the account ``subject``."""
    return {"$type": collection, "createdAt": created, "subject": subject}


def profile(rng: Random, created: str) -> dict[str, Any]:
    """An account's profile; its record key is ``self``, and it may lack any field, createdAt as well."""
    record: dict[str, Any] = {"$type": "app.bsky.actor.profile"}
    if rng.random() < 0.8:
        record["avatar"] = blob(rng)
    if rng.random() < 0.5:
        record["banner"] = blob(rng)
    if rng.random() < 0.6:
        record["createdAt"] = created
    record["description"] = text.bio(rng)
    record["displayName"] = text.sentence(rng, "en", 2)
    return record


def list_item(rng: Random, people: Population, did: str, created: str, now_us: int) -> dict[str, Any]:
    """An account on a list."""
    return {
        "$type": "app.bsky.graph.listitem",
        "createdAt": created,
        "list": _list_uri(people, did, now_us),
        "subject": people.did(people.account()),
    }


def account_list(rng: Random, people: Population, did: str, created: str, now_us: int) -> dict[str, Any]:
    """A list of accounts, for moderation, to read, or of a starter pack."""
    record: dict[str, Any] = {"$type": "app.bsky.graph.list", "createdAt": created}
    if rng.random() < 0.3:
        record["avatar"] = blob(rng)
    if rng.random() < 0.6:
        record["description"] = text.sentence(rng, "en", rng.randint(3, 20))
    record["name"] = text.sentence(rng, "en", 2)
    purpose = rng.choices(("curatelist", "modlist", "referencelist"), (5, 2, 3))[0]
    return record | {"purpose": f"app.bsky.graph.defs#{purpose}"}


def starter_pack(rng: Random, people: Population, did: str, created: str, now_us: int) -> dict[str, Any]:
    """Accounts and feeds for a newcomer."""
    record: dict[str, Any] = {"$type": "app.bsky.graph.starterpack", "createdAt": created}
    if rng.random() < 0.7:
        record["description"] = text.sentence(rng, "en", rng.randint(3, 20))
    if rng.random() < 0.5:
        makers = [people.did(people.account()) for _ in range(rng.randint(1, 3))]
        record["feeds"] = [{"uri": f"at://{maker}/app.bsky.feed.generator/feed{len(makers)}"} for maker in makers]
    return record | {"list": _list_uri(people, did, now_us), "name": text.sentence(rng, "en", 3)}


def _list_uri(people: Population, did: str, now_us: int) -> str:
    return f"at://{did}/app.bsky.graph.list/{people.unknown_rkey(now_us)}"


#: Collections that nothing else depends on, and what makes a record of each.
MAKERS: Final = {LIST_ITEM: list_item, LIST: account_list, STARTER_PACK: starter_pack}


def other(
    rng: Random, people: Population, did: str, created: str, now_us: int
) -> tuple[str, str | None, dict[str, Any]]:
    """A record of a rare or unknown collection: (collection, record key or None for a TID, record)."""
    drawn = rng.random()
    if drawn < 0.4:
        post = people.recent_post(now_us)
        gate = {"$type": "app.bsky.feed.threadgate", "allow": [], "createdAt": created, "post": post.uri}
        return "app.bsky.feed.threadgate", post.uri.rsplit("/", 1)[1], gate
    if drawn < 0.48:
        blocked = f"at://{people.did(people.account() % 20)}/app.bsky.graph.list/3kmoderation2"
        record = {"$type": "app.bsky.graph.listblock", "createdAt": created, "subject": blocked}
        return "app.bsky.graph.listblock", None, record
    if drawn < 0.55:
        return (
            "chat.bsky.actor.declaration",
            "self",
            {"$type": "chat.bsky.actor.declaration", "allowIncoming": "all"},
        )
    if drawn < 0.8:
        server = "did:web:example.com"
        origin = {"$type": "com.example.broadcast.origin", "server": server, "updatedAt": created}
        return "com.example.broadcast.origin", f"{did}::{server}", origin
    if drawn < 0.98:
        return "com.example.scores", None, {"$type": "com.example.scores", "scores": rng.choices(range(9), k=20)}
    # The largest real event had over a million bytes.
    words = 210_000 if rng.random() < 0.02 else 1_500
    essay = {"$type": "com.example.essay", "content": text.sentence(rng, "en", words), "createdAt": created}
    return "com.example.essay", None, essay
