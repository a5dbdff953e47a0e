"""Locks of keys in an object store, for the sessions of processes, which they are held by (session.py).

A lock is an object of its own name that says which session holds it, replaced on the condition that it is as it
was seen. Whoever finds a lock of a session that is silent fences that session before taking the lock. Must not:
know what a lock protects.
"""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from firehose.errors import LockTaken, StoreAway
from firehose.store.objects.client import Bucket
from firehose.store.objects.failures import Changed
from firehose.store.objects.fencing import FOLDER, fence, is_silent, sweep
from firehose.store.objects.listing import below, constant
from firehose.store.objects.session import Session
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_LONGEST_PAUSE_S: Final = 1.0
#: A lock that was let go this many seconds ago is removed when locks are forgotten: by then few take it again.
FORGOTTEN_S = 6 * 3600.0
_sessions: Final[dict[Bucket, Session]] = {}
_beginning: Final = threading.Lock()
#: Locks that a thread of this process holds and may take again.
_reentrant: Final[set[tuple[Bucket, str, int, int]]] = set()


class _Holder(msgspec.Struct, frozen=True):
    """The content of a lock; ``session`` is empty where no session holds it. ``nonce`` makes each one another."""

    session: str
    nonce: str


def session_of(bucket: Bucket) -> Session:
    """This process's session on a lake.

    After a fork a child begins one of its own, within its parent's. One that was fenced stays, and with it the
    error, until the last lock that it held is let go.
    """
    with _beginning:
        session = _sessions.get(bucket)
        if session is not None and session.pid == os.getpid() and not (session.lost and not session.held):
            return session
        if session is None:
            sweep(bucket)
        parent = session if session is not None and session.pid != os.getpid() else None
        begun = _sessions[bucket] = Session(bucket, parent)
        # By the process that began it: Airflow drops what was registered before it forked a task.
        atexit.unregister(end_sessions)
        atexit.register(end_sessions)
        return begun


def end_sessions() -> None:
    """End this process's sessions on all lakes, so that nothing of them is left there."""
    for bucket in list(_sessions):
        _sessions.pop(bucket).end()


@contextmanager
def locked(bucket: Bucket, key: str, *, wait_s: float | None, reentrant: bool) -> Iterator[None]:
    """Hold the lock of a key; see :meth:`firehose.store.LakePath.lock`."""
    mine = (bucket, key, os.getpid(), threading.get_ident())
    if reentrant and mine in _reentrant:
        yield
        return
    session = session_of(bucket)
    etag = _taken(bucket, key, session, wait_s)
    with _beginning:
        session.held += 1
    if reentrant:
        _reentrant.add(mine)
    try:
        yield
    finally:
        _reentrant.discard(mine)
        with _beginning:
            session.held -= 1
        _let_go(bucket, key, etag, session)


def is_locked(bucket: Bucket, key: str) -> bool:
    """Tell whether a session that may still write holds the lock."""
    held = _seen(bucket, key)
    return held is not None and bool(held[0].session) and not is_silent(bucket, held[0].session)


def held(bucket: Bucket, folder: str, pattern: str) -> Iterator[str]:
    """The keys in a folder that match and whose locks are held, in order.

    What a listing says is enough to tell those that were let go, whose content is shorter.
    """
    for key, seen in below(bucket, folder + constant(pattern)):
        if fnmatchcase(key[len(folder) :], pattern) and seen.size != _LET_GO_BYTES and is_locked(bucket, key):
            yield key


def forget(bucket: Bucket, folder: str) -> None:
    """Remove the locks in a folder that were let go some time ago, each on the condition that it still is so."""
    for key, seen in below(bucket, folder):
        if seen.size == _LET_GO_BYTES and seen.age_s > FORGOTTEN_S and not key.startswith(f"{FOLDER}/"):
            with suppress(Changed):  # taken meanwhile
                bucket.delete(key, seen.etag)


def _taken(bucket: Bucket, key: str, session: Session, wait_s: float | None) -> str:
    """Take a lock, and return the ETag by which it is let go."""
    ends = None if wait_s is None else time.monotonic() + wait_s
    pause_s = 0.05
    while True:
        held = _seen(bucket, key)
        if held is None or not held[0].session or fence(bucket, held[0].session):
            try:
                return bucket.put(key, _text(session.id), etag=held[1] if held else None)
            except Changed:
                continue  # another one was quicker
        if ends is not None and time.monotonic() >= ends:
            raise LockTaken(f"{bucket.named(key)} is locked: another step or command is at work; try again later")
        left_s = pause_s if ends is None else min(pause_s, ends - time.monotonic())
        time.sleep(max(left_s, 0) * random.uniform(0.5, 1))  # noqa: S311  # so that two do not wait in step
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _let_go(bucket: Bucket, key: str, etag: str, session: Session) -> None:
    try:
        bucket.put(key, _text(""), etag=etag)
    except Changed:
        session.give_up()  # fenced: what it wrote since has failed
    except StoreAway as error:
        session.give_up()  # or the lock would be taken for held while this process lives
        log.warning("a lock could not be let go; others may take it in a while", reason=error)


def _seen(bucket: Bucket, key: str) -> tuple[_Holder, str] | None:
    try:
        content, seen = bucket.get(key)
    except FileNotFoundError:
        return None
    return msgspec.json.decode(content, type=_Holder), seen.etag


def _text(session_id: str) -> bytes:
    return msgspec.json.encode(_Holder(session_id, uuid.uuid4().hex))


_LET_GO_BYTES: Final = len(_text(""))
