"""Which accounts have files of their own in an hour: decided once, before its first file, and never changed.

``_hours/date=YYYY-MM-DD/hour=HH/<type>/layout.json`` says it; without one the hour is flat. Decided by the hour
before: what an account does in this one is not known yet. Must not: know what goes into a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from firehose import parquet
from firehose.errors import CorruptLake
from firehose.lake import layout
from firehose.lake.layout import FLAT, OTHERS, HourFile
from firehose.lake.locks import locked
from firehose.lake.plain import plain_groups
from firehose.lake.recorded import folder_of, is_known
from firehose.lake.rowgroups import corrupt
from firehose.records.registry import REGISTRY
from firehose.store import L, LakePath

_NAME: Final = "layout.json"
# Counts of accounts that are held before they are summed up.
_HELD: Final = 1_000_000


class Rule(NamedTuple):
    """From how many events of a type in an hour on an account is large (0: none is), and the most of them."""

    threshold: int = 0
    most: int = 0


class Layout(msgspec.Struct, frozen=True):
    """Whether an hour is by user, and the accounts that have files of their own then."""

    by_user: bool = False
    users: list[str] = []

    @property
    def names(self) -> list[str]:
        """The ``user`` of each file of the hour."""
        return [*self.users, OTHERS] if self.by_user else [FLAT]

    def file_with(self, did: str) -> str:
        """The ``user`` of the file that an account's events go into."""
        if not self.by_user:
            return FLAT
        return did if did in self.users else OTHERS


def layout_of(lake: LakePath, record_type: str, hour: int) -> Layout:
    """The layout of an hour; flat where nothing is decided.

    Raises:
        CorruptLake: it cannot be read; or the hour has files by user, and has lost its layout.
    """
    if not REGISTRY[record_type].by_user:
        return Layout()
    if found := _read(_path(lake, record_type, hour)):
        return found
    if not is_known(layout.hour_file(lake, record_type, hour)) and users_there(lake, record_type, hour):
        raise CorruptLake(
            f"{_path(lake, record_type, hour)}: is missing, and the hour has files by user: restore it from a "
            f"backup, or make the hour again: firehose rebuild {layout.hour_name(hour)} --type {record_type}"
        )
    return Layout()


def files_of(lake: LakePath, record_type: str, hour: int) -> list[HourFile]:
    """The files that an hour may have. Raises as :func:`layout_of`."""
    return [HourFile(hour, record_type, name) for name in layout_of(lake, record_type, hour).names]


def users_there(lake: LakePath, record_type: str, hour: int) -> set[str]:
    """The users of whom there is a file or a record, whatever the hour's layout says."""
    there = layout.hour_files(lake, record_type, hour)
    known = folder_of(lake, hour).find(f"{layout.within_hour(record_type, '*')}.json")
    return {layout.user_of_folder(path) for path in (*there, *known)} - {FLAT}


def settled(lake: LakePath, record_type: str, hour: int, rule: Rule, known: Callable[[HourFile], bool]) -> Layout:
    """The layout of an hour that is going to be written to: decided now, if nothing is.

    ``known`` says what the ledger names: an hour that was written to and has nothing left of it has lost a flat
    file, and is not decided again.

    Raises:
        CorruptLake: see :func:`layout_of`; or the hour before cannot be read.
    """
    if not rule.threshold or not REGISTRY[record_type].by_user:
        return layout_of(lake, record_type, hour)
    flat = layout.hour_file(lake, record_type, hour)
    if (found := _read(_path(lake, record_type, hour))) or is_known(flat):
        return found or Layout()
    with locked(lake, [(hour, record_type)]):
        found = layout_of(lake, record_type, hour)
        if _path(lake, record_type, hour).exists() or is_known(flat) or flat.exists():
            return found
        if known(HourFile(hour, record_type)):
            return found
        large = _large(lake, record_type, hour - 1, rule)
        decided = Layout(bool(large), large)
        _write(lake, record_type, hour, decided)
        return decided


def restore(lake: LakePath, record_type: str, hour: int, users: Iterable[str] = ()) -> None:
    """Write the layout of an hour again that has lost it: by its files, and those of ``users`` that it had.

    An account without a file has no events there: that it is among the others now doubles nothing.
    """
    if not REGISTRY[record_type].by_user:
        return
    flat = layout.hour_file(lake, record_type, hour)
    with locked(lake, [(hour, record_type)]):
        there = {*users, *users_there(lake, record_type, hour)} - {FLAT}
        if there and not (_path(lake, record_type, hour).exists() or is_known(flat) or flat.exists()):
            _write(lake, record_type, hour, Layout(True, sorted(there - {OTHERS})))


def _large(lake: LakePath, record_type: str, hour: int, rule: Rule) -> list[str]:
    """The accounts with most events of an hour, above the threshold, and by name where they have as many."""
    counted = _counts(lake, record_type, hour)
    large = counted.filter(pc.greater_equal(counted["events"], rule.threshold))
    ordered = large.sort_by([("events", "descending"), ("did", "ascending")])
    return [did for did in ordered["did"].to_pylist() if layout.fits_a_path(did)][: rule.most]


def _counts(lake: LakePath, record_type: str, hour: int) -> pa.Table:
    """The events of each account."""
    parts, held = [_NONE], 0
    for file in files_of(lake, record_type, hour):
        if not (path := file.path(lake)).exists():
            continue
        try:
            with parquet.opened(path) as source:
                for rows in plain_groups(source, record_type, ["did"]):
                    counts = rows["did"].value_counts()
                    parts.append(pa.Table.from_arrays([counts.field(0), counts.field(1)], schema=_NONE.schema))
                    held += len(counts)
                    if held > _HELD:
                        parts, held = [_summed(parts)], 0
        except (pa.ArrowInvalid, OSError) as error:
            raise corrupt(path, error) from error
    return _summed(parts)


_NONE: Final = pa.schema([("did", pa.string()), ("events", pa.int64())]).empty_table()


def _summed(parts: list[pa.Table]) -> pa.Table:
    summed = pa.concat_tables(parts).group_by("did").aggregate([("events", "sum")])
    return summed.select(["did", "events_sum"]).rename_columns(["did", "events"])


def _path(lake: L, record_type: str, hour: int) -> L:
    return folder_of(lake, hour) / record_type / _NAME


def _read(path: LakePath) -> Layout | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Layout)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptLake(f"{path}: not a layout ({error}); restore it from a backup") from error
    except OSError as error:
        raise CorruptLake.unreadable(path, error) from error


def _write(lake: LakePath, record_type: str, hour: int, decided: Layout) -> None:
    _path(lake, record_type, hour).write(msgspec.json.encode(decided))
