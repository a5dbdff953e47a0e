"""A lake in a bucket of an object store: S3, or another store with its interface and its conditional writes.

Lives here: the class (lake.py, keys.py), and below it, each knowing only those after it: locks of keys (locks.py),
this process's session and how one is fenced (session.py, fencing.py), listing and reading (listing.py, stream.py),
requests and their errors (client.py, connection.py, failures.py), drafts on the local disk (spool.py), the address
(place.py).
Must not: know what lies in a file.
"""

from firehose.store.objects.lake import ObjectLake
from firehose.store.objects.place import BadPlace, Place

__all__ = ["BadPlace", "ObjectLake", "Place"]
