"""The identity of an event, and which of many rows are an event's first: at 25 bytes a row.

An operation on a record is known by account, revision, collection, record key and operation; an identity or
account event by account, its own time and what it says; what an earlier system kept by all that its type names.
Each relay has numbers of its own, which may be 0 or begin again: it counts only where there is no time. Compared
are keyed hashes of 128 bits, whose keys each process draws for itself: no sender can make two events that look
alike. Must not: read files, know what becomes of a row.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from firehose.records.registry import REGISTRY, catch_all

_SEPARATOR: Final = "\x1f"  # in no DID, TID, NSID or record key
_NULL: Final = "\x1e"
# SipHash takes 16 characters; a random one of hexadecimal digits holds 64 bits of chance.
_KEYS: Final = (secrets.token_hex(8), secrets.token_hex(8))


class Fingerprints(NamedTuple):
    """Two 64-bit hashes of each row's identity."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]


def identities(record_type: str, table: pa.Table) -> pa.Array:
    """The identity of each row as one string, its parts joined.

    An event has the same one in a file of its type and in an older one of the catch-all, which has every
    collection.
    """
    of = REGISTRY[record_type]
    names = (catch_all(record_type) or of).identity
    parts = [
        pc.cast(table[name], pa.string()).combine_chunks() if name in of.identity else pa.scalar(of.collection)
        for name in names
    ]
    if not of.is_event:
        parts = [pc.fill_null(part, _NULL) for part in parts]
    elif not of.is_commit:  # in commits rules have seen to it that no part is null
        did, time, seq, *said = parts
        has_time = pc.fill_null(pc.not_equal(time, ""), False)
        number = pc.if_else(has_time, "", seq)
        parts = [did, *(pc.fill_null(part, _NULL) for part in (time, number, *said))]
    return pc.binary_join_element_wise(*parts, _SEPARATOR)


def mark(record_type: str) -> str:
    """The one column of an identity that alone tells nearly all events apart. It is never null."""
    of = REGISTRY[record_type]
    return "rev" if of.is_commit else "did" if of.is_event else "rkey"


def marks(record_type: str, keys: pa.Array) -> pa.Array:
    """The marks of some identities."""
    place = (catch_all(record_type) or REGISTRY[record_type]).identity.index(mark(record_type))
    return pc.list_element(pc.split_pattern(keys, _SEPARATOR), place)


def fingerprints(keys: pa.Array) -> Fingerprints:
    """The hashes of some identities. They can be compared within this process only."""
    values = keys.cast(pa.binary()).to_numpy(zero_copy_only=False)
    return Fingerprints(*(hash_array(values, hash_key=key, categorize=False) for key in _KEYS))


class EventIndex:
    """The events of some rows. ``wanted`` has a flag for each row, in order: at first set for each event's first.

    Positions are those of :meth:`find`, and good until the next :meth:`forget`.
    """

    def __init__(self, rows: Iterable[Fingerprints]) -> None:
        none = Fingerprints(np.empty(0, np.uint64), np.empty(0, np.uint64))
        high, low = (np.concatenate(part) for part in zip(none, *rows, strict=True))
        order = np.lexsort((low, high))  # stable, so an event's first row comes first
        high, low = high[order], low[order]
        first = np.ones(len(order), bool)
        first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        self._high, self._low, self._row = high[first], low[first], order[first]
        self.wanted: npt.NDArray[np.bool_] = np.zeros(len(order), bool)
        self.wanted[self._row] = True

    def find(self, rows: Fingerprints) -> npt.NDArray[np.intp]:
        """Where the event of each row is here, or -1."""
        found = np.full(len(rows.high), -1, np.intp)
        if not len(self._high):
            return found
        # In order, so that neighbouring searches read neighbouring memory: five times as fast.
        left = np.argsort(rows.high)
        at = np.searchsorted(self._high, rows.high[left])
        while len(left):
            same = (at < len(self._high)) & (self._high[np.minimum(at, len(self._high) - 1)] == rows.high[left])
            left, at = left[same], at[same]
            hit = self._low[at] == rows.low[left]
            found[left[hit]] = at[hit]
            left, at = left[~hit], at[~hit] + 1
        return found

    def drop(self, positions: npt.NDArray[np.intp]) -> None:
        """The rows of these events are not wanted. They can still be found."""
        self.wanted[self._row[positions]] = False

    def forget(self, positions: npt.NDArray[np.intp]) -> None:
        """The rows of these events are not wanted, nor will they be found."""
        self.drop(positions)
        kept = np.ones(len(self._high), bool)
        kept[positions] = False
        self._high, self._low, self._row = self._high[kept], self._low[kept], self._row[kept]
