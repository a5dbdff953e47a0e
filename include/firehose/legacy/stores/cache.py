"""Reads a file of the JSON cache, of both generations: one post, like or follow.

Lives here: the shapes of the three, and the checks that a file is what its name says. Must not: list folders, read
other stores.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from firehose.legacy.record import OldRecord, Refused
from firehose.legacy.stores.found import Found, Shape
from firehose.legacy.stores.posts import COLLECTION as POST
from firehose.legacy.stores.posts import Post, post_fields
from firehose.legacy.stores.texts import Address, Broken, address, received_us

#: No record that the network takes is as large, in whatever spelling.
LARGEST: Final = 4 << 20
_LIKE, _FOLLOW = "app.bsky.feed.like", "app.bsky.graph.follow"
#: What a decoder raises for a text that is not what it decodes.
UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Subject(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    cid: str
    py_type: str | None = None


class _LikeRecord(msgspec.Struct, forbid_unknown_fields=True):
    subject: _Subject
    created_at: str | None = None
    createdAt: str | None = None
    py_type: str | None = None


class _Like(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    cid: str
    author: str
    record: _LikeRecord | str


class _FollowRecord(msgspec.Struct, forbid_unknown_fields=True):
    subject: str
    created_at: str | None = None
    createdAt: str | None = None
    py_type: str | None = None


class _Follow(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    cid: str
    author: str
    record: _FollowRecord
    follower_did: str
    followee_did: str


_post: Final = msgspec.json.Decoder(Post).decode
_like: Final = msgspec.json.Decoder(_Like).decode
_like_record: Final = msgspec.json.Decoder(_LikeRecord).decode
_follow: Final = msgspec.json.Decoder(_Follow).decode


def read_file(root: str, found: Found) -> OldRecord | Refused:
    """The record of a file below ``root``."""
    try:
        return _READERS[found.shape](found, _content(f"{root}/{found.path}"))
    except OSError as error:
        return Refused(path=found.path, reason=f"cannot be read: {error.strerror}")
    except Broken as error:
        return Refused(path=found.path, reason=str(error))
    except UNDECODABLE as error:
        return refused(found.path, error)


def refused(path: str, error: Exception, place: str = "") -> Refused:
    """What a decoder could not read. A key that the old system did not write makes the shape unknown."""
    reason = str(error) or type(error).__name__
    return Refused(path=path, place=place, reason=reason, unknown="unknown field" in reason)


def like_fields(record: _LikeRecord | str) -> dict[str, Any]:
    """The fields of a record that follow from a like's ``record``, an object or JSON in a text.

    Raises:
        Broken: it says no time.
        msgspec.MsgspecError: it is neither.
    """
    if isinstance(record, str):
        record = _like_record(record)
    subject = record.subject
    return {"created_at": _created_at(record), "subject_uri": subject.uri, "subject_cid": subject.cid}


def named(uri: str, collection: str, author: str) -> Address:
    """The parts of the record's address.

    Raises:
        Broken: it is of another collection, or of another account than ``author``.
    """
    parts = address(uri)
    if parts.collection != collection:
        raise Broken(f"uri is in {parts.collection}, and its folder is for {collection}")
    if parts.did != author:
        raise Broken(f"uri is of the account {parts.did}, and the author is {author[:100]!r}")
    return parts


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        content = os.read(descriptor, LARGEST + 1)
        if len(content) > LARGEST:
            raise Broken(f"larger than any record: over {LARGEST} bytes")
        return content
    finally:
        os.close(descriptor)


def _created_at(record: _LikeRecord | _FollowRecord) -> str:
    text = record.created_at if record.created_at is not None else record.createdAt
    if text is None:
        raise Broken("record has neither created_at nor createdAt")
    return text


def _of_name(found: Found, *names: str) -> None:
    """Check that the file is called as the old system would have called it for this record."""
    name = found.path.rpartition("/")[2]
    if name not in names:
        raise Broken(f"the file's name is not that of its record, which would be {names[0]}")


def _read_post(found: Found, content: bytes) -> OldRecord:
    post = _post(content)
    did, _, rkey = named(post.uri, POST, post.author_did)
    _of_name(found, f"author_did={did}_post_uri_suffix={rkey}.json")
    return OldRecord(
        store=found.store,
        path=found.path,
        role=found.role,
        did=did,
        collection=POST,
        rkey=rkey,
        received_us=received_us(post.synctimestamp),
        **post_fields(post),
    )


def _read_like(found: Found, content: bytes) -> OldRecord:
    like = _like(content)
    did, _, rkey = named(like.uri, _LIKE, like.author)
    name = f"author_did={did}_like_uri_suffix={rkey}.json"
    _of_name(found, name, f"like_{name}")
    return OldRecord(
        store=found.store,
        path=found.path,
        role=found.role,
        did=did,
        collection=_LIKE,
        rkey=rkey,
        cid=like.cid,
        **like_fields(like.record),
    )


def _read_follow(found: Found, content: bytes) -> OldRecord:
    follow = _follow(content)
    did, _, rkey = named(follow.uri, _FOLLOW, follow.author)
    if (follow.follower_did, follow.followee_did) != (did, follow.record.subject):
        raise Broken("follower_did and followee_did are not the accounts of the follow")
    _of_name(found, f"follower_did={did}_followee_did={follow.record.subject}.json")
    return OldRecord(
        store=found.store,
        path=found.path,
        role=found.role,
        did=did,
        collection=_FOLLOW,
        rkey=rkey,
        cid=follow.cid,
        created_at=_created_at(follow.record),
        subject_did=follow.record.subject,
    )


_READERS: Final[dict[Shape, Callable[[Found, bytes], OldRecord]]] = {
    Shape.POST: _read_post,
    Shape.LIKE: _read_like,
    Shape.FOLLOW: _read_follow,
}
