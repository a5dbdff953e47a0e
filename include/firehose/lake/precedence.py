"""Which of two copies of an event stays: that of the earlier batch, where an import counts as the latest of all.

An import's batch is named by a day of the old data, which is earlier than that of whoever listened that day: the
lake would forget that it had heard the event itself. Must not: look for copies.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from firehose.batch.interval import IMPORT_SECONDS, is_import
from firehose.lake.footers import batch_id

_DAY_S: Final = 86_400
_SECOND: Final = timedelta(seconds=1)  # batches begin at whole seconds


class Span(NamedTuple):
    """Starts of batches, both ends included."""

    first: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    last: datetime = datetime(9999, 1, 1, tzinfo=UTC)


_ALL: Final = Span()
_NONE: Final = Span(_ALL.last, _ALL.first)


class Batches(NamedTuple):
    """Some batches: of those that listened, and of imports."""

    listened: Span = _ALL
    imports: Span = _ALL

    @property
    def bounds(self) -> Span:
        """The first and the last start that one of them may have."""
        return Span(min(span.first for span in self), max(span.last for span in self))

    def of(self, starts: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.bool_]:
        """A flag for each start of a batch: it is one of these."""
        seconds = starts.cast(pa.timestamp("s", "UTC")).cast(pa.int64()).to_numpy()
        of_day = seconds % _DAY_S
        imports = (of_day >= IMPORT_SECONDS.start) & (of_day < IMPORT_SECONDS.stop)
        flags: npt.NDArray[np.bool_] = np.where(
            imports, _within(seconds, self.imports), _within(seconds, self.listened)
        )
        return flags


def only(batch: datetime) -> Batches:
    """This one."""
    return _of_kind(batch, Span(batch, batch), _NONE, _NONE)


def up_to(batch: datetime, *, itself: bool) -> Batches:
    """Those whose copies stay beside one of this batch; with ``itself``, it as well."""
    return _of_kind(batch, Span(last=batch if itself else batch - _SECOND), _ALL, _NONE)


def after(batch: datetime) -> Batches:
    """Those whose copies go where this batch has one."""
    return _of_kind(batch, Span(first=batch + _SECOND), _NONE, _ALL)


def in_order(name: str) -> tuple[bool, str]:
    """What ids of batches are sorted by, so that each comes after those whose copies stay beside its own."""
    return is_import(name), name


def _of_kind(batch: datetime, same: Span, listened: Span, imports: Span) -> Batches:
    """``same`` of the batch's own kind; else ``listened`` or ``imports``."""
    if is_import(batch_id(batch)):
        return Batches(listened, same)
    return Batches(same, imports)


def _within(seconds: npt.NDArray[np.int64], span: Span) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (seconds >= span.first.timestamp()) & (seconds <= span.last.timestamp())
    return inside
