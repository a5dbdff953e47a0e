"""The part of an event that the server itself needs: account, time and collection.

Lives here: reading that from a line, however malformed the rest. Must not: records, changes to a line.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec


class Commit(msgspec.Struct):
    """The part of a commit that filters look at."""

    collection: str = ""


class Envelope(msgspec.Struct):
    """An event's outside. Of a v2 frame only ``type`` and ``payload`` are set."""

    did: str = ""
    time_us: int = 0
    commit: Commit | None = None
    type: str = msgspec.field(default="", name="$type")
    payload: msgspec.Raw = msgspec.Raw()

    @property
    def collection(self) -> str:
        """The collection; empty for what is not a commit."""
        return self.commit.collection if self.commit is not None else ""


class NotAnObject(ValueError):
    """The line is not a JSON object."""


_decoder = msgspec.json.Decoder(Envelope)


def read(line: bytes) -> Envelope:
    """The envelope of ``line``; a field of a wrong type counts as missing.

    Raises:
        NotAnObject: it is not a JSON object.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _lenient(line)


def _lenient(line: bytes) -> Envelope:
    """For text that msgspec refuses and Python's parser accepts: lone surrogates, NaN, unexpected types."""
    try:
        value = json.loads(line)
    except RecursionError:
        value = {}  # nested so deeply that all one can say is that it began as an object
        if not line.lstrip().startswith(b"{"):
            raise NotAnObject(str(line[:60])) from None
    except ValueError:
        raise NotAnObject(str(line[:60])) from None
    if not isinstance(value, dict):
        raise NotAnObject(str(line[:60]))
    commit = value.get("commit")
    collection = commit.get("collection") if isinstance(commit, dict) else None
    return Envelope(
        did=_typed(value.get("did"), str, ""),
        time_us=_typed(value.get("time_us"), int, 0),
        commit=Commit(_typed(collection, str, "")) if commit is not None else None,
    )


def _typed(value: Any, kind: type, default: Any) -> Any:
    return value if type(value) is kind else default
