"""The conservation oracle over a schedule: what the hosts sent, against lake, quarantine and ledger.

Lives here: the equations. It reads messages with tests/support/oracle.py, not with the pipeline's decoders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import open_gaps
from firehose.batch.raw import read_chunks
from firehose.lake import layout
from firehose.lake.footers import displaced
from firehose.lake.ledger import read_ledger
from firehose.lake.verify import verify
from firehose.store import LocalLake
from ingester.contract.wire import OTHER
from ingester.jetstream.hosts import V1, V2
from tests.fault.soak.tape import Tape
from tests.support.lake_view import original
from tests.support.oracle import kind_of


class Account(NamedTuple):
    """What became of a schedule's events; ``missing`` ones lie inside recorded gaps.

    Of the delivered ones v1 does not send ``sync``; of the quarantined ones ``frames`` are in v2's form.
    """

    sent: int
    missing: int
    delivered: int
    rows: int
    quarantined: int
    dropped: int
    sync: int
    frames: int


def judge(lake: Path, tape: Tape, speak: set[str], *, forgotten: bool) -> Account:
    """Assert that every event is accounted for, and that nothing is left over.

    ``speak``: the protocols of the hosts; where one is v1, what it does not send may be missing.
    ``forgotten``: the hosts have lost events, so that some may be missing, but none silently.
    """
    delivered = _numbers(tape, _delivered(lake))
    missing = set(range(tape.count)) - set(delivered)
    never_sent = tape.only_v2 if V1 in speak else set()
    assert V2 in speak or not tape.only_v2 - missing, "v1 does not send these"
    silent = _outside_gaps(lake, tape, missing - never_sent) if forgotten else missing - never_sent
    assert not silent, f"{len(silent)} of {tape.count} events are in no raw file: {_spans(sorted(silent))}"
    account = _conserved(lake, tape, delivered, missing)
    _assert_nothing_is_left_over(lake)
    return account._replace(sent=tape.count - len(never_sent & missing), missing=len(missing - never_sent))


def _numbers(tape: Tape, lines: list[bytes]) -> list[int]:
    """The numbers of the events that lines stand for."""
    numbers = [tape.number(line) for line in lines]
    unknown = [line for line, number in zip(lines, numbers, strict=True) if number is None]
    assert not unknown, f"{len(unknown)} lines that no host has sent, such as {unknown[0]!r}"
    return [number for number in numbers if number is not None]


def _outside_gaps(lake: Path, tape: Tape, numbers: set[int]) -> set[int]:
    """Events that no open gap of the coverage ledger covers.

    A gap after a change of hosts begins by the stamps of one and ends by those of the other: either stamp counts.
    """
    spans = [(gap.from_us, gap.to_us) for gap in open_gaps(read_gaps(LocalLake(lake)))]
    return {
        number
        for number in numbers
        if not any(start <= sent[number].time_us < end for sent in tape.sent for start, end in spans)
    }


def _conserved(lake: Path, tape: Tape, delivered: list[int], missing: set[int]) -> Account:
    """sent = missing + rows + quarantined, each event once; delivered = those, repetitions and all, + dropped.

    Type and operation of an event are those of its message in v1's form, by whichever protocol it came.
    """
    sent = _kinds(tape, set(range(tape.count)) - missing)
    rows = [(name, row.get("operation") or "") for name in schema.TYPES for row in _rows(lake, name)]
    raw = [row["raw"] for row in _quarantined(lake)]
    bad = _numbers(tape, raw)
    good = [tape.sent[0][number].line for number in bad if number not in tape.odd]
    assert not good, f"{len(good)} good events are in quarantine, such as {good[0]!r}"
    good_or_bad = Counter(rows) + _kinds(tape, set(bad))
    assert sent == good_or_bad, _difference(sent, good_or_bad)
    kept = Counter(name for name, _ in rows) + _types(tape, bad)
    dropped, came = dropped_copies(lake), _types(tape, delivered)
    assert came == kept + dropped, _difference(came, kept + dropped)
    sync, frames = len(tape.only_v2 & set(delivered)), sum(line.startswith(b'{"$type"') for line in raw)
    of_all = (tape.count, len(missing), len(delivered), len(rows), len(set(bad)), dropped.total())
    return Account(*of_all, sync, frames)


def _kinds(tape: Tape, numbers: Iterable[int]) -> Counter[tuple[str, str]]:
    """Types and operations of events; v2 has a kind of which a row says it instead."""
    only_v2 = tape.only_v2
    return Counter((OTHER, "sync") if n in only_v2 else kind_of(tape.sent[0][n].line) for n in numbers)


def _types(tape: Tape, numbers: Iterable[int]) -> Counter[str]:
    return Counter(kind_of(tape.sent[0][number].line)[0] for number in numbers)


def _assert_nothing_is_left_over(lake: Path) -> None:
    """The lake passes its own verification, and holds no partial or staged file."""
    report = verify(LocalLake(lake))
    assert report.ok, report.problems
    left = [*lake.glob("**/*.part"), *lake.glob("_staged/**/*.parquet")]
    assert not left, f"left over: {left}"


def _delivered(lake: Path) -> list[bytes]:
    """Every message of every batch, as often as it came. What no manifest names is not part of a batch."""
    folders = [path.parent for path in lake.glob("_raw/*/*/manifest.json")]
    named = [(folder, manifests.read(LocalLake(folder))) for folder in folders]
    paths = [folder / queue.name for folder, manifest in named if manifest for queue in manifest.queues.values()]
    return [original(line) for path in paths for lines in read_chunks(LocalLake(path), 1 << 20) for line in lines]


def _rows(lake: Path, record_type: str) -> list[dict[str, Any]]:
    names = [name for name in ("operation",) if name in schema.SCHEMAS[record_type].names] or ["did"]
    paths = layout.hour_files(LocalLake(lake), record_type)
    return [row for path in paths for row in pq.ParquetFile(path).read(names).to_pylist()]


def _quarantined(lake: Path) -> list[dict[str, Any]]:
    paths = lake.glob("_quarantine/**/*.parquet")
    return [row for path in paths for row in pq.ParquetFile(path).read(["raw"]).to_pylist()]


def dropped_copies(lake: Path) -> Counter[str]:
    """Copies of events that are there, by type: dropped at once, or later for the copy of an earlier batch."""
    dropped: Counter[str] = Counter()
    for entry in read_ledger(LocalLake(lake)):
        dropped.update({name: counts.duplicates for name, counts in entry.counts.items()})
    for name in schema.TYPES:
        for path in layout.hour_files(LocalLake(lake), name):
            dropped[name] += sum(displaced(LocalLake(path)).values())
    return dropped


def _difference(left: Counter[Any], right: Counter[Any]) -> str:
    return f"too few {dict(left - right)}, too many {dict(right - left)}"


def _spans(numbers: list[int]) -> str:
    """``3-7, 12``: where a loss begins and ends says what caused it."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans[:20])
