"""The conservation oracle over a schedule: what the hosts sent, against lake, quarantine and ledger.

Lives here: the equations. It reads messages with tests/fault/crash/oracle.py, not with the pipeline's decoders.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from firehose import schema
from firehose.batch import manifest as manifests
from firehose.batch.coverage import read_gaps
from firehose.batch.gaps import open_gaps
from firehose.batch.raw import read_chunks
from firehose.lake import layout
from firehose.lake.hourfile import displaced
from firehose.lake.ledger import read_ledger
from firehose.lake.verify import verify
from tests.fault.crash.oracle import by_kind, kind_of
from tests.fault.crash.world import original
from tests.fault.soak.tape import Tape


class Account(NamedTuple):
    """What became of a schedule's events; ``missing`` ones lie inside recorded gaps."""

    sent: int
    missing: int
    delivered: int
    rows: int
    quarantined: int
    dropped: int


def judge(lake: Path, tape: Tape, *, forgotten: bool) -> Account:
    """Assert that every event is accounted for, and that nothing is left over.

    ``forgotten``: the hosts have lost events, so that some may be missing, but none silently.
    """
    delivered = _delivered(lake)
    unknown = [line for line in delivered if line not in tape.numbers]
    assert not unknown, f"{len(unknown)} lines that no host has sent, such as {unknown[0]!r}"
    missing = set(range(tape.count)) - {tape.numbers[line] for line in delivered}
    silent = _outside_gaps(lake, tape, missing) if forgotten else missing
    assert not silent, f"{len(silent)} of {tape.count} events are in no raw file: {_spans(sorted(silent))}"
    account = _conserved(lake, tape, delivered, missing)
    _assert_nothing_is_left_over(lake)
    return account


def _outside_gaps(lake: Path, tape: Tape, numbers: set[int]) -> set[int]:
    """Events that no open gap of the coverage ledger covers.

    A gap after a change of hosts begins by the stamps of one and ends by those of the other: either stamp counts.
    """
    spans = [(gap.from_us, gap.to_us) for gap in open_gaps(read_gaps(lake))]
    return {
        number
        for number in numbers
        if not any(start <= sent[number].time_us < end for sent in tape.sent for start, end in spans)
    }


def _conserved(lake: Path, tape: Tape, delivered: list[bytes], missing: set[int]) -> Account:
    """sent = missing + rows + quarantined, each event once; delivered = those, repetitions and all, + dropped."""
    sent = [message.line for number, message in enumerate(tape.sent[0]) if number not in missing]
    rows = [(name, row.get("operation") or "") for name in schema.TYPES for row in _rows(lake, name)]
    bad_lines = [row["raw"] for row in _quarantined(lake)]
    bad = {tape.numbers[line] for line in bad_lines}
    good_or_bad = Counter(rows) + by_kind([tape.sent[0][number].line for number in bad])
    assert by_kind(sent) == good_or_bad, _difference(by_kind(sent), good_or_bad)
    kept = Counter(name for name, _ in rows) + Counter(kind_of(line)[0] for line in bad_lines)
    dropped = _dropped(lake)
    came = Counter(kind_of(line)[0] for line in delivered)
    assert came == kept + dropped, _difference(came, kept + dropped)
    return Account(tape.count, len(missing), len(delivered), len(rows), len(bad), dropped.total())


def _assert_nothing_is_left_over(lake: Path) -> None:
    """The lake passes its own verification, and holds no partial or staged file."""
    report = verify(lake)
    assert report.ok, report.problems
    left = [*lake.glob("**/*.part"), *lake.glob("staged/**/*.parquet")]
    assert not left, f"left over: {left}"


def _delivered(lake: Path) -> list[bytes]:
    """Every message of every batch, as often as it came. What no manifest names is no part of a batch."""
    folders = [path.parent for path in lake.glob("raw/*/*/manifest.json")]
    named = [(folder, manifests.read(folder)) for folder in folders]
    paths = [folder / queue.name for folder, manifest in named if manifest for queue in manifest.queues.values()]
    return [original(line) for path in paths for lines in read_chunks(path, 1 << 20) for line in lines]


def _rows(lake: Path, record_type: str) -> list[dict[str, Any]]:
    names = [name for name in ("operation",) if name in schema.SCHEMAS[record_type].names] or ["did"]
    paths = layout.hour_files(lake, record_type)
    return [row for path in paths for row in pq.ParquetFile(path).read(names).to_pylist()]


def _quarantined(lake: Path) -> list[dict[str, Any]]:
    paths = lake.glob("quarantine/**/*.parquet")
    return [row for path in paths for row in pq.ParquetFile(path).read(["raw"]).to_pylist()]


def _dropped(lake: Path) -> Counter[str]:
    """Copies of events that are there, by type: dropped at once, or later for the copy of an earlier batch."""
    dropped: Counter[str] = Counter()
    for entry in read_ledger(lake):
        dropped.update({name: counts.duplicates for name, counts in entry.counts.items()})
    for name in schema.TYPES:
        for path in layout.hour_files(lake, name):
            dropped[name] += sum(displaced(path).values())
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
