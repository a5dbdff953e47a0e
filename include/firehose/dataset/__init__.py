"""Rows of the lake for notebooks and scripts: :func:`firehose.open`, over hour files or a ClickHouse.

Lives here: the dataset. Must not: reading (selection.py), connecting (sources.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self, Unpack

from firehose import settings
from firehose.dataset.asked import TYPES, Narrowing, of_type
from firehose.dataset.completeness import Completeness
from firehose.dataset.selection import METADATA, Selection
from firehose.dataset.sources import Files, Server, Source
from firehose.errors import FirehoseError
from firehose.store import LocalLake

__all__ = ["METADATA", "TYPES", "Completeness", "Dataset", "Selection", "open_dataset"]


class Dataset:
    """A lake, by record type: ``dataset.posts``, ``dataset.read("likes", since="2026-11-23")``.

    A context manager; what it holds ends with the process at the latest.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, record_type: str, **narrowing: Unpack[Narrowing]) -> Selection:
        """Select rows of a type, or of ``events``: all types; see :meth:`Selection.where`. Reads nothing.

        Raises:
            FirehoseError: an unknown type, or a value that makes no sense.
        """
        return Selection(self._source, of_type(record_type).narrowed(narrowing))

    def __getattr__(self, name: str) -> Selection:
        """All rows of the type of this name."""
        if name not in TYPES:
            raise AttributeError(f"{name!r} is not a record type: {', '.join(TYPES)}")
        return self.read(name)

    def __dir__(self) -> list[str]:
        """For completion in a notebook."""
        return [*super().__dir__(), *TYPES]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections, and end the engine over files."""
        self._source.close()


def open_dataset(
    source: str | os.PathLike[str] | None, user: str | None = None, password: str | None = None
) -> Dataset:
    """See :func:`firehose.open`."""
    text = os.fspath(source) if source is not None else None
    given = {"clickhouse_analyst": user, "clickhouse_analyst_password": password}
    login = {name: value for name, value in given.items() if value is not None}
    if text is None or text.startswith(("http://", "https://")):
        url = {} if text is None else {"clickhouse_url": text}
        return Dataset(Server(settings.load(**login, **url)))
    if "://" in text:
        raise FirehoseError(
            f"{text}: the files of a lake in a bucket are read through ClickHouse: give its URL, http://…, or the"
            " folder of a lake on this machine"
        )
    if login:
        raise FirehoseError(f"user and password are of a ClickHouse, and {text} is a folder: leave them out")
    return Dataset(Files(LocalLake(Path(text).expanduser().absolute()), settings.load()))
