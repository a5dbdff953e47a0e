"""What alerts have told of: what lasts is told of once a day, and again at once when it changes.

``_audit/told.json`` says what was told last; losing it costs an alert more. Must not: send anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import msgspec

from firehose.areas import Area
from firehose.store import LakePath

_NAME: Final = "told.json"


@contextmanager
def news(lake: LakePath, about: str, said: Sequence[str], now: datetime | None = None) -> Iterator[bool]:
    """Whether this has to be told, since today it was not. It counts as told when the block has ended."""
    path = Area.AUDIT.of(lake) / _NAME
    digest = hashlib.sha256("\n".join(sorted(said)).encode()).hexdigest()
    mine = f"{now or datetime.now(UTC):%Y-%m-%d} {digest}" if said else ""
    told = _read(path)
    yield bool(said) and told.get(about) != mine
    if told.get(about, "") != mine:
        path.write(msgspec.json.encode(_read(path) | {about: mine}))


def _read(path: LakePath) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
