"""Where the states of alerts are kept: ``_alerts/state.json`` in the lake, one process at a time.

Every worker and the deadman see the lake, and it is there when Redis is not. Where the lake cannot be used, they
are kept in ``alerts.json`` in ``FIREHOSE_HOME`` until it can. Must not: know what a state means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from firehose.alerts.state import Book
from firehose.areas import Area, require_whole
from firehose.errors import FirehoseError, LockTaken
from firehose.settings import Settings
from firehose.store import LakePath, LocalLake
from ingester.contract.logs import get_logger

log = get_logger(__name__)

#: A sink may take some seconds, and several messages may go out at once.
_WAIT_S: Final = 90.0
_NAME: Final = "state.json"
_OF_HOME: Final = "alerts.json"


class Kept:
    """The book while nobody else may change it. ``write`` makes it durable."""

    def __init__(self, book: Book, write: Callable[[Book], None]) -> None:
        self.book, self._write = book, write

    def write(self, book: Book) -> None:
        """Replace it."""
        self.book = book
        self._write(book)


def read(settings: Settings) -> Book:
    """The book as it is: for whoever only looks.

    Raises:
        FirehoseError, OSError: the lake cannot be read.
    """
    return _read(Area.ALERTS.of(settings.lake_path) / _NAME)


@contextmanager
def opened(settings: Settings) -> Iterator[Kept]:
    """The book, for one process at a time.

    Raises:
        LockTaken: another process has held it for a minute and a half.
        OSError: neither the lake nor the home can be written.
    """
    lake, spare = settings.lake_path, LocalLake(settings.home_path) / _OF_HOME
    path = Area.ALERTS.of(lake) / _NAME
    with ExitStack() as held:
        try:
            require_whole(lake)
            held.enter_context((Area.LOCKS.of(lake) / "alerts.lock").lock(wait_s=_WAIT_S))
            kept = Kept(_joined(_read(path), spare), lambda book: _write(path, spare, book))
        except LockTaken:
            raise
        except (OSError, FirehoseError) as error:
            log.error("states of alerts are kept in the home, since the lake cannot be used", reason=error)
            kept = held.enter_context(_spare(spare))
        yield kept


@contextmanager
def _spare(spare: LocalLake) -> Iterator[Kept]:
    spare.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with spare.with_suffix(".lock").lock(wait_s=_WAIT_S):
        yield Kept(_read(spare), lambda book: spare.write(msgspec.json.encode(book)))


def _joined(book: Book, spare: LocalLake) -> Book:
    """The book, with what was kept in the home while the lake could not be used."""
    if not spare.exists():
        return book
    other = _read(spare)
    return msgspec.structs.replace(
        book, states=book.states | other.states, silences=[*book.silences, *other.silences]
    )


def _write(path: LakePath, spare: LocalLake, book: Book) -> None:
    try:
        path.write(msgspec.json.format(msgspec.json.encode(book)))
    except (OSError, FirehoseError) as error:  # a full disk
        log.error("states of alerts are kept in the home, since the lake cannot be written", reason=error)
        spare.write(msgspec.json.encode(book))
    else:
        spare.discard()


def _read(path: LakePath) -> Book:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Book)
    except FileNotFoundError:
        return Book()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("states of alerts cannot be read, and begin again", file=path, reason=error)
        return Book()
