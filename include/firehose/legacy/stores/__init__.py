"""Readers of every store of the old system: its JSON cache, its SQLite queues, its Parquet lake.

``walk`` lists what there is, ``read`` gives the records. Must not: write anything below the old system's folders,
guess (what is of an unknown shape is refused), know the lake.
"""

from firehose.legacy.stores.found import Found, Outside, Shape
from firehose.legacy.stores.reading import read
from firehose.legacy.stores.walk import walk

__all__ = ["Found", "Outside", "Shape", "read", "walk"]
