"""Where the lake is stored: what any storage must do (:class:`LakePath`), on a local disk and in a bucket.

The rest of the pipeline names files relative to a lake's root, and reads and replaces them by these methods alone.
Another storage is another class with them, and passes the same tests (tests/contract/test_lake_store.py).
Must not: know what lies in a file.
"""

from firehose.store.local import Disk, Listed, LocalLake
from firehose.store.objects import BadPlace, ObjectLake, Place
from firehose.store.protocol import L, LakePath

__all__ = ["BadPlace", "Disk", "L", "LakePath", "Listed", "LocalLake", "ObjectLake", "Place"]
