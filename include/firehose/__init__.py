"""The Bluesky firehose pipeline: batches, quality, the Parquet lake, ClickHouse; :func:`open` reads the lake."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firehose.dataset import Dataset


def open(
    source: str | PathLike[str] | None = None, *, user: str | None = None, password: str | None = None
) -> Dataset:
    """Open a lake for a notebook or a script: the folder of its hour files, or the URL of a ClickHouse.

    Without ``source`` it is the ClickHouse of the settings, as for ``firehose query``. Login and password are
    those of the analyst in the settings, unless they are given. See docs/notebooks.md.

    Raises:
        FirehoseError: no lake there, a wrong login, a wrong setting.
        ServiceUnavailable: nothing answers at the URL.
    """
    from firehose.dataset import open_dataset  # here, since every module of the pipeline imports this package

    return open_dataset(source, user, password)
