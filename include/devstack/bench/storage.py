"""``firehose bench storage``: what a simulated day takes on the disk once its hours are closed, beside its JSON.

Events go through the pipeline's own decoders and writer; then each hour is closed, and every record has to give
its CID. The last hour is closed in a process of its own, and sorted and written by DuckDB as well, where that is
installed. Must not: need any service.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

from devstack.bench import simulated
from devstack.bench.report import PeakRss
from devstack.bench.simulated import HOURS, Sizes
from devstack.embedded.leash import ending_with_us
from firehose.errors import FirehoseError
from firehose.lake import closing, layout
from firehose.lake.verify import verify
from firehose.schema import LIKES
from firehose.settings import Settings
from firehose.store import LocalLake

#: What a batch leaves beside events, in bytes: results, ledger entry, manifest, its part of records and proofs;
#: and the quality pages, of the latest batches only. Measured in a lake of the demo.
_OF_BATCH: Final = 15_000
_PAGES: Final = 113_000_000
_SORTED_BY_DUCKDB: Final = """\
import sys, duckdb
duckdb.execute("SET enable_progress_bar = false")
for source in sys.argv[1:]:
    duckdb.execute(f"COPY (FROM read_parquet('{source}', hive_partitioning = false) ORDER BY time_us)"
                   f" TO '{source}.sorted' (FORMAT parquet, COMPRESSION zstd)")
"""


class StorageReport(msgspec.Struct, frozen=True, kw_only=True):
    """``saved``: the share of the events' JSON that closed hours do without; ``notes`` has that of open ones.

    ``notes`` also has the bytes an event of raw files, and the share of the JSON that the whole lake takes after a
    week. ``seconds`` and ``mib`` (peak memory) are of closing the day's last hour, and of the baseline.
    """

    name: str
    events: int
    hours: int
    saved: float
    bytes_per_event: float
    bytes_per_like: float
    bytes_by_type: dict[str, float]
    saved_by_type: dict[str, float]
    records_verified: int
    seconds: dict[str, float]
    mib: dict[str, float]
    notes: dict[str, float]


def bench_storage(events: int, hours: int = HOURS) -> StorageReport:
    """Measure a day of ``events`` simulated events, or its first ``hours``.

    Raises:
        FirehoseError: a record does not give its CID.
    """
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        lake = LocalLake(name)
        sizes_of = raw, counts, frames = Sizes(Counter(), Counter(), Counter())
        for hour, lines in groupby(simulated.day(events, hours), key=lambda line: line.hour):
            simulated.store(lake, hour, lines, sizes_of)
        before = sum(path.size() for path in lake.find("year=*/month=*/day=*/hour=*/*.parquet"))
        *early, last = sorted({layout.hour_of_file(path) for path in lake.find("year=*/*/*/*/*.parquet")})
        for hour in early:
            _close(lake, hour)
        seconds, mib = {}, {}
        seconds["DuckDB"], mib["DuckDB"] = _baseline(lake, last)
        seconds["close"], mib["close"] = _measured(_close, lake, last)
        sizes: Counter[str] = Counter()
        for path in lake.find("year=*/month=*/day=*/hour=*/*.parquet"):
            sizes[path.stem] += path.size()
        verified = _verified(lake)
    total = sizes.total()
    return StorageReport(
        name="storage",
        events=counts.total(),
        hours=hours,
        saved=round(1 - total / raw.total(), 4),
        bytes_per_event=round(total / counts.total(), 2),
        bytes_per_like=round(sizes[LIKES] / counts[LIKES], 2),
        bytes_by_type={kind: round(size / counts[kind], 2) for kind, size in sizes.most_common()},
        saved_by_type={kind: round(1 - size / raw[kind], 4) for kind, size in sizes.most_common()},
        records_verified=verified,
        seconds=seconds,
        mib=mib,
        notes={
            "saved_open": round(1 - before / raw.total(), 4),
            "raw_files": round(frames.total() / counts.total(), 2),
            "after_a_week": round(_week(events, raw.total(), (total, before, frames.total()), hours), 4),
            "json_bytes": raw.total(),
            "bytes": total,
        },
    )


def _week(events: int, json: int, sizes: tuple[int, int, int], hours: int) -> float:
    """The share of a week's JSON that the lake takes at the end of it, by the settings' defaults.

    Of all hours but the last the closed form; of the last ones the open form, and raw files; and what each batch
    leaves. ``sizes``: of so many ``hours`` the bytes of the three.
    """
    kept = Settings()
    opened, raw = kept.close_after_hours + 1, kept.keep_raw_hours + 1  # the run of the hour has yet to come
    closed_bytes, open_bytes, raw_bytes = (size / hours for size in sizes)
    lake = closed_bytes * (7 * HOURS - opened) + open_bytes * opened + raw_bytes * raw
    batches = 7 * HOURS * 60 // kept.batch_minutes
    return (lake + batches * _OF_BATCH + _PAGES) / (json / hours * 7 * HOURS)


def _close(lake: LocalLake, hour: int) -> None:
    for path in layout.hour_file(lake, LIKES, hour).parent.find("*.parquet"):
        closing.close(lake, layout.file_of(path))


def _measured(work: Callable[[LocalLake, int], None], lake: LocalLake, hour: int) -> tuple[float, float]:
    """Seconds and MiB of a process that does this."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(lake, hour))
    began = time.monotonic()
    process.start()
    with PeakRss(int(process.pid or 0)) as peak:
        process.join()
    if process.exitcode:
        raise FirehoseError("closing an hour failed; see above")
    return round(time.monotonic() - began, 2), round(peak.mib)


def _baseline(lake: LocalLake, hour: int) -> tuple[float, float]:
    """The same files, sorted by time and written with zstd by DuckDB; zeros where it is not installed."""
    files = layout.hour_file(lake, LIKES, hour).parent.find("*.parquet")
    began = time.monotonic()
    command = ending_with_us([sys.executable, "-c", _SORTED_BY_DUCKDB, *map(str, files)])
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run, PeakRss(run.pid) as peak:
        run.communicate()
    for path in files:
        Path(f"{path}.sorted").unlink(missing_ok=True)
    return (0.0, 0.0) if run.returncode else (round(time.monotonic() - began, 2), round(peak.mib))


def _verified(lake: LocalLake) -> int:
    found: Any = verify(lake).types.values()
    if wrong := sum(kind.mismatched + kind.unverifiable + kind.duplicates for kind in found):
        raise FirehoseError(f"{wrong} records do not give their CID, or are there twice")
    return sum(kind.verified for kind in found)
