"""A process at work on a lake in an object store: its lease, and its slots, through which all that it writes goes.

Lives here, with fencing.py: how a process that was silent too long, so that its locks were taken, is kept from
writing: it is *fenced*. Must not: know what a lock protects.

A session has objects below ``.locks/sessions/<id>/``: ``lease``, written again and again while the process lives,
and *slots*. A file is uploaded to a slot, and the store itself copies it to its place. Who fences a session first
marks the lease as revoked, provided that it still is the old one, then removes the slots. From that moment the
store has nothing to copy from: a slot cannot be written again, since that is conditional on its being there, and a
new one is not used, since the lease is looked at after it was made. So it does not matter when the silent process
wakes up, nor whose clock is wrong. A forked child has a session within its parent's, and is fenced with it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from firehose.errors import FirehoseError, LockLost
from firehose.store.objects import fencing
from firehose.store.objects.client import Bucket
from firehose.store.objects.failures import Changed
from firehose.store.objects.fencing import FOLDER, lease_key, read_lease, remove_objects
from ingester.contract.logs import get_logger

log = get_logger(__name__)


class _Slot(NamedTuple):
    key: str
    etag: str | None  # None: not made yet


class Session:
    """One process's session on one lake, from the first time that it locks or writes."""

    def __init__(self, bucket: Bucket, parent: Session | None = None) -> None:
        self.id: str = f"{parent.id}/{uuid.uuid4().hex}" if parent else uuid.uuid4().hex
        self.pid = os.getpid()
        self.lost = False
        self.held = 0  # locks: while there are any, a session that is lost is not replaced by another one
        self._bucket, self._parent = bucket, parent
        self._free: list[_Slot] = []
        self._ended, self._renewing = threading.Event(), threading.Lock()
        self._etag = bucket.put(lease_key(self.id), self._text(), etag=None)
        os.register_at_fork(  # so that no request is under way, whose locks nothing would release in a child
            before=self._renewing.acquire,
            after_in_parent=self._renewing.release,
            after_in_child=self._renewing.release,
        )
        threading.Thread(target=self._renew, daemon=True, name="lease").start()

    def check(self) -> None:
        """See that neither this session nor one that it is part of was fenced.

        Raises:
            LockLost: one was.
        """
        lease = None if self.lost else read_lease(self._bucket, self.id)
        if lease is None or lease.revoked:
            self.lose()
        if self._parent is not None:
            self._parent.check()

    def write(self, draft: Path, key: str, uploaded: Callable[[], None]) -> None:
        """Replace an object by a local file. ``uploaded`` is called before the store copies it to its place.

        Raises:
            LockLost: the session was fenced; the object is as it was.
        """
        if self.lost:
            self.lose()
        slot = self._free.pop() if self._free else _Slot(f"{FOLDER}/{self.id}/{uuid.uuid4().hex}", None)
        try:
            with draft.open("rb") as stream:
                etag = self._bucket.put(slot.key, stream, etag=slot.etag)
            if slot.etag is None:
                self.check()
            uploaded()
            self._bucket.copy(slot.key, etag, key)
        except Changed:
            self.lose()
        self._free.append(_Slot(slot.key, etag))

    def remove(self, key: str) -> None:
        """Remove an object; nothing happens where there is none.

        Raises:
            LockLost: the session was fenced.
        """
        while (seen := self._bucket.head(key)) is not None:
            self.check()  # after the look, so that what was seen was this session's to remove
            with suppress(Changed):
                return self._bucket.delete(key, seen.etag)

    def lose(self) -> NoReturn:
        """Let this process write nothing more while it holds a lock.

        Raises:
            LockLost: always.
        """
        self.give_up()
        raise LockLost(
            f"{self._bucket.place}: this process was silent for more than {fencing.LEASE_S:g} s, and another "
            "one has taken its locks; it writes nothing more, and what was not finished is as it was: run the "
            "step again"
        )

    def give_up(self) -> None:
        """Renew the lease no longer, so that others may take its locks in a while."""
        self.lost = True
        self._ended.set()

    def end(self) -> None:
        """Leave nothing behind. In the process that began it."""
        if os.getpid() == self.pid:
            self.give_up()
            try:
                with self._renewing:
                    remove_objects(self._bucket, self.id)
            except FirehoseError as error:
                log.warning("a session's objects stay until another one removes them", reason=error)

    def _renew(self) -> None:
        while not self._ended.wait(fencing.LEASE_S / 4):
            try:
                with self._renewing:
                    self._etag = self._bucket.put(lease_key(self.id), self._text(), etag=self._etag)
            except Changed:
                self.give_up()
            except FirehoseError as error:
                log.warning("the lease could not be renewed", reason=error)

    def _text(self) -> bytes:
        """Another one each time, so that its ETag is another one."""
        return json.dumps({"host": socket.gethostname(), "pid": self.pid, "nonce": uuid.uuid4().hex}).encode()
