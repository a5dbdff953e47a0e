"""The conservation oracle for millions of events: the equations of tests/support/oracle.py, over digests.

Lives here: what was sent, against raw files, lake, quarantine, ledger and gaps; read in pieces, so that an hour
fits in memory. Messages are read by tests/support/oracle.py, never by the pipeline's decoders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firehose import schema
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import open_gaps
from firehose.batch.raw import read_chunks
from firehose.lake import layout
from firehose.lake.verify import verify
from firehose.store import LocalLake
from tests.fault.soak.oracle import dropped_copies
from tests.fault.soak_hour.record import Events, Kinds, digest
from tests.support.lake_view import original
from tests.support.oracle import kind_of

_PIECE: Final = 1 << 20
T = TypeVar("T", str, tuple[str, str])
Digests = npt.NDArray[np.uint64]


class Account(NamedTuple):
    """What became of the events. ``problems``: a line for each equation that does not hold.

    ``silent`` are missing and in no recorded gap, ``in_gaps`` are missing and in one. ``alike``: messages that the
    source has sent more than once (malformed ones may be the same); of each the first is looked for.
    """

    sent: int
    delivered: int
    repeated: int
    rows: int
    quarantined: int
    in_gaps: int
    silent: int
    rubbish: int
    alike: int
    problems: list[str]


def account(lake: Path, sent: Events, kinds: Kinds, rubbish: Sequence[bytes]) -> Account:
    """Compare what the source has sent, and the rubbish put in between, with what is there."""
    known, first = np.unique(sent["digest"], return_index=True)
    delivered = np.fromiter(map(digest, _messages(lake)), np.uint64)
    once = np.unique(delivered)
    here = np.isin(known, once, assume_unique=True)
    missing = sent[first[~here]]
    in_gap = _in_open_gaps(lake, missing["time_us"])
    strange = set(np.setdiff1d(once, known, assume_unique=True).tolist())
    foreign = strange - {digest(message) for message in rubbish}
    problems = []
    if silent := int(np.sum(~in_gap)):
        span = missing["time_us"][~in_gap]
        problems.append(f"{silent} events are lost, and no gap says so: from {span.min()} to {span.max()} µs")
    if foreign:
        problems.append(f"{len(foreign)} messages are in raw files that nobody has sent")
    came = _kinds_of(sent[first[here]], kinds) + Counter(
        kind_of(message) for message in set(rubbish) if digest(message) in strange
    )
    rows = _rows(lake)
    bad, of_type = _quarantined(lake)
    problems += _difference(
        "events of a type and operation, in raw files and as rows or in quarantine", came, rows + bad
    )
    dropped = dropped_copies(lake)
    all_of_type = _types_of(sent, known, first, delivered, kinds)
    strange_types = Counter({schema.OTHER: int(np.sum(np.isin(delivered, list(strange))))})
    kept = _by_type(rows) + of_type + dropped
    problems += _difference("messages of a type, repetitions and all", all_of_type + strange_types, kept)
    report = verify(LocalLake(lake))
    problems += [f"verify: {problem}" for problem in report.problems]
    problems += [f"left over: {path}" for path in (*lake.glob("**/*.part"), *lake.glob("_staged/**/*.parquet"))]
    return Account(
        len(sent),
        len(delivered),
        len(delivered) - len(once),
        rows.total(),
        of_type.total(),
        int(np.sum(in_gap)),
        silent,
        len(strange),
        len(sent) - len(known),
        problems,
    )


def _messages(lake: Path) -> Iterator[bytes]:
    """Every message of every raw file, as it came over the wire."""
    for path in sorted(lake.glob("_raw/**/*.zst")):
        for lines in read_chunks(LocalLake(path), _PIECE):
            yield from map(original, lines)


def _in_open_gaps(lake: Path, times_us: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    covered = np.zeros(len(times_us), bool)
    for gap in open_gaps(read_gaps(LocalLake(lake))):
        covered |= (times_us >= gap.from_us) & (times_us < gap.to_us)
    return covered


def _kinds_of(events: Events, kinds: Kinds) -> Counter[tuple[str, str]]:
    numbers, counts = np.unique(events["kind"], return_counts=True)
    return Counter({kinds.all[number]: int(count) for number, count in zip(numbers, counts, strict=True)})


def _types_of(
    sent: Events, known: Digests, first: npt.NDArray[np.int64], found: Digests, kinds: Kinds
) -> Counter[str]:
    """How many of these deliveries are of each type; those that nobody has sent are left out."""
    at = np.searchsorted(known, found).clip(max=max(len(known) - 1, 0))
    ours = first[at[known[at] == found]]
    return _by_type(_kinds_of(sent[ours], kinds))


def _by_type(counts: Counter[tuple[str, str]]) -> Counter[str]:
    types: Counter[str] = Counter()
    for (name, _), count in counts.items():
        types[name] += count
    return types


def _rows(lake: Path) -> Counter[tuple[str, str]]:
    """Rows of the lake by type and operation."""
    counts: Counter[tuple[str, str]] = Counter()
    for name in schema.TYPES:
        has = "operation" in schema.SCHEMAS[name].names
        for path in layout.hour_files(LocalLake(lake), name):
            file = pq.ParquetFile(path)
            if not has:
                counts[name, ""] += file.metadata.num_rows
                continue
            for each in pc.value_counts(file.read(["operation"])["operation"]).to_pylist():
                counts[name, each["values"] or ""] += each["counts"]
    return counts


def _quarantined(lake: Path) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Bad events by type and operation, each once; and rows of the quarantine by type, repetitions and all."""
    seen: set[bytes] = set()
    types: Counter[str] = Counter()
    for path in lake.glob("_quarantine/**/*.parquet"):
        for row in pq.ParquetFile(path).read(["raw", "type"]).to_pylist():
            seen.add(row["raw"])
            types[row["type"]] += 1
    return Counter(map(kind_of, seen)), types


def _difference(what: str, left: Counter[T], right: Counter[T]) -> Iterable[str]:
    if left != right:
        yield f"{what}: {dict(left - right)} are not there, {dict(right - left)} are too many"
