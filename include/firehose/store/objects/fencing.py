"""Keeping a session that was silent too long from writing, and removing what is left of it: see session.py.

Must not: begin or renew a session.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from firehose.areas import Area
from firehose.store.objects.client import Bucket
from firehose.store.objects.failures import Changed
from firehose.store.objects.listing import below
from ingester.contract.logs import get_logger

log = get_logger(__name__)

FOLDER: Final = f"{Area.LOCKS}/sessions"
#: A session that has not renewed its lease for this many seconds, by the store's clock, may be fenced.
LEASE_S = 30.0
_LEASE: Final = "lease"
_REVOKED: Final = b'{"revoked":true}'


class Lease(NamedTuple):
    revoked: bool
    age_s: float
    etag: str

    def silent(self, longest_s: float) -> bool:
        return self.age_s > longest_s + 1  # the store's clock shows whole seconds


def fence(bucket: Bucket, session_id: str, silent_s: float | None = None) -> bool:
    """Keep a session from writing if it was silent for ``silent_s`` (or the lease); tell whether it now is.

    Where a session has no lease, its slots were removed before.
    """
    if (lease := read_lease(bucket, session_id)) is None:
        return True
    if not lease.revoked:
        if not lease.silent(LEASE_S if silent_s is None else silent_s):
            return False
        try:
            bucket.put(lease_key(session_id), _REVOKED, etag=lease.etag)
        except Changed:
            return False
        log.warning("a process was silent too long, and may write nothing more", session=session_id)
    remove_objects(bucket, session_id)
    return True


def sweep(bucket: Bucket, silent_s: float = 3600.0) -> None:
    """Remove what processes that were killed some time ago have left."""
    for key, seen in bucket.page(f"{FOLDER}/").keys.items():
        session_id, _, name = key.removeprefix(f"{FOLDER}/").partition("/")
        if name == _LEASE and seen.age_s > silent_s:
            fence(bucket, session_id, silent_s)


def remove_objects(bucket: Bucket, session_id: str) -> None:
    """Remove a session's slots, and those of its children, and only then the leases, its own as the last."""
    keys = [key for key, _ in below(bucket, f"{FOLDER}/{session_id}/")]
    for key in sorted(keys, key=lambda key: (key.endswith(f"/{_LEASE}"), -key.count("/"))):
        bucket.delete(key)


def is_silent(bucket: Bucket, session_id: str) -> bool:
    """Tell whether a session is fenced, or may be."""
    lease = read_lease(bucket, session_id)
    return lease is None or lease.revoked or lease.silent(LEASE_S)


def read_lease(bucket: Bucket, session_id: str) -> Lease | None:
    try:
        content, seen = bucket.get(lease_key(session_id))
    except FileNotFoundError:
        return None
    return Lease(content == _REVOKED, seen.age_s, seen.etag)


def lease_key(session_id: str) -> str:
    return f"{FOLDER}/{session_id}/{_LEASE}"
