"""``firehose bench page``: the page for readers on a simulated day, its server's times and what a browser sees.

Each view's questions are asked alone; then many readers ask with nobody loading, which is the baseline, and again
while batches are published and loaded. A headless Chromium opens each view in each width. Must not: contain
questions (views.py).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from devstack.bench import readers, simulated
from devstack.bench.concurrency import loads_beside, own_process, staged
from devstack.bench.cookbook import load, make_day
from devstack.bench.listing import of_own
from devstack.bench.paint import in_browser
from devstack.bench.readers import Sample
from devstack.bench.subjects import subjects_of
from devstack.bench.views import addresses
from devstack.embedded import clickhouse
from devstack.embedded.ui import served
from firehose.batch.interval import Batch
from firehose.settings import Settings
from firehose.warehouse.client import clickhouse_errors, connect
from firehose_ui import bundle
from ingester.contract.logs import get_logger

log = get_logger(__name__)

_BATCHES: Final = 12
_BATCH: Final = timedelta(minutes=5)
_MADE: Final = "made.json"
#: The last hour of the day comes in batches, while readers ask.
_HOURS: Final = simulated.HOURS - 1
_START: Final = simulated.START_US // 1_000_000
_LAST_HOUR: Final = datetime.fromtimestamp(_START, UTC) + timedelta(hours=_HOURS)

Spread = dict[str, float]


class PageReport(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds, as p50, p95 and max; by view and question as a client on this machine sees them.

    ``questions_ms``: one reader, a question at a time. ``top_posts`` is asked anew, and at once again (kept).
    ``paint_ms``: of a browser without a cache, medians: ``first`` contentful paint, and when ``all`` has loaded.
    ``alone_ms``: the baseline, this many readers with nobody loading; ``together_ms``: the same readers while
    batches are loaded; ``ratio`` is of the 95th percentiles. ``complaints``: of the browser's console, and
    requests to other hosts.
    """

    name: str
    events: int
    readers: int
    bundle_gzipped: dict[str, int]
    questions_ms: dict[str, Spread]
    paint_ms: dict[str, Spread]
    baseline: str
    alone_ms: dict[str, Spread]
    together_ms: dict[str, Spread]
    ratio: dict[str, float]
    asked: int
    errors: int
    complaints: int
    first_fault: str
    load_s: Spread
    loads_beside: int
    seconds: dict[str, float]


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """A day that an earlier run has made."""

    events: int
    batches: list[str]


def bench_page(
    events: int, count: int, seconds: float, rounds: int, pause_s: float, day: Path | None
) -> PageReport:
    """Measure on a day of ``events`` events; ``day``: a folder to make it in, and to find it there the next time.

    Raises:
        FirehoseError: a step fails.
    """
    with _folder(day) as folder:
        began = time.monotonic()
        settings = of_own(folder / "home", str(folder / "lake"))
        total, batches = _made(settings, folder / _MADE, events)
        made = time.monotonic()
        with clickhouse.start(settings), own_process() as pool, served(settings) as url:
            load(settings)
            loaded = time.monotonic()
            with clickhouse_errors(), closing(connect(settings, "analyst")) as client:
                subjects = subjects_of(client, _START, _START + _HOURS * 3600)
            log.info("the day is loaded", events=total)
            single = pool.submit(readers.ask_alone, url, subjects, rounds).result()
            log.info("asked alone", questions=len(single))
            paint, complaints = in_browser(url, addresses(subjects))
            log.info("opened in a browser", complaints=len(complaints))
            given = (url, subjects, count, seconds, pause_s)
            alone = pool.submit(readers.ask_together, *given).result()
            log.info("many asked, with nobody loading", questions=len(alone))
            asking = pool.submit(readers.ask_together, *given)
            loads = [*loads_beside(settings, batches, asking)]
            together = asking.result()
    asked = [*single, *alone, *together]
    faults = [f"{each.view}: {each.name}: {each.error}" for each in asked if each.error]
    alone_ms, together_ms = _by_view(alone), _by_view(together)
    return PageReport(
        name="page",
        events=total,
        readers=count,
        bundle_gzipped=_bundle(),
        questions_ms=_by_question(single),
        paint_ms=paint,
        baseline="alone_ms: the same readers while nothing is loaded",
        alone_ms=alone_ms,
        together_ms=together_ms,
        ratio={of: round(together_ms[of]["p95"] / alone_ms[of]["p95"], 2) for of in alone_ms if of in together_ms},
        asked=len(asked),
        errors=len(faults),
        complaints=len(complaints),
        first_fault=next(iter([*faults, *complaints]), ""),
        load_s=_spread(loads, 1.0),
        loads_beside=len(loads),
        seconds={"make the day": round(made - began, 1), "load it": round(loaded - made, 1)},
    )


@contextmanager
def _folder(day: Path | None) -> Iterator[Path]:
    if day is not None:
        day.mkdir(parents=True, exist_ok=True)
        yield day.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="firehose-bench-") as name:
        yield Path(name)


def _made(settings: Settings, marker: Path, events: int) -> tuple[int, list[Batch]]:
    """The day's hours but the last in the lake, and the batches of the last, drained and validated."""
    if marker.exists():
        made = msgspec.json.decode(marker.read_bytes(), type=_Made)
        return made.events, [_batch(number) for number in range(len(made.batches))]
    total = make_day(settings.local_lake, events, _HOURS)
    batches = [_batch(number) for number in range(_BATCHES)]
    each = max(1, events // simulated.HOURS // _BATCHES)
    staged(settings, {batch: batch.start for batch in batches}, each, int(_BATCH.total_seconds()))
    total += each * _BATCHES
    marker.write_bytes(msgspec.json.encode(_Made(events=total, batches=[batch.id for batch in batches])))
    return total, batches


def _batch(number: int) -> Batch:
    return Batch.of(_LAST_HOUR + number * _BATCH, _LAST_HOUR + (number + 1) * _BATCH)


def _bundle() -> dict[str, int]:
    """Bytes that a browser loads, of all scripts, styles and documents, and of the largest of them."""
    files = {name: file.gzipped for name, file in bundle.manifest().files.items() if not name.endswith(".txt")}
    return {"all": sum(files.values()), "largest": max(files.values())}


def _by_question(samples: Iterable[Sample]) -> dict[str, Spread]:
    return _spreads((f"{each.view}: {each.name}", each.seconds) for each in samples)


def _by_view(samples: Iterable[Sample]) -> dict[str, Spread]:
    return _spreads((of, each.seconds) for each in samples for of in ("all", each.view))


def _spreads(found: Iterable[tuple[str, float]]) -> dict[str, Spread]:
    times: dict[str, list[float]] = {}
    for name, seconds in found:
        times.setdefault(name, []).append(seconds)
    return {name: _spread(of, 1e3) for name, of in sorted(times.items())}


def _spread(times: list[float], scale: float) -> Spread:
    cuts = statistics.quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    most = max(times)
    return {name: round(each * scale, 1) for name, each in (("p50", cuts[9]), ("p95", cuts[18]), ("max", most))}
