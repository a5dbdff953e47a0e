"""Templates filled with figures. Every value is escaped: names of hosts, errors and reasons come from anywhere.

Lives here: which template shows what. Must not: read anything, compute figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import jinja2
from fastapi import Request

from firehose_page import words
from firehose_page.watch import Look

if TYPE_CHECKING:
    from firehose.batch.gaps import GapLine
    from firehose.observe.attained import Day, Objective
    from firehose.observe.history import BatchPast
    from firehose_page.documents import BatchFile

_PACKAGE: Final = "firehose_page"
#: By an objective: its name for readers, what is measured, and the unit of what was bad.
_MEANS: Final = {
    "freshness": ("Fresh", "of the time the newest data was at most {} old", "time"),
    "coverage": ("Covered", "of the time nothing of any type is missing", "time"),
    "batches": (
        "Batches in time",
        "of the batches could be read within {} of the end of their interval",
        "batches",
    ),
    "queries": ("Queries in time", "of the monitor's questions were answered within {}", "answers"),
}


class Pages:
    """The pages, as text."""

    def __init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._templates.filters |= words.FILTERS

    def overview(self, request: Request, look: Look, begins: date | None, latest: int) -> str:
        """The flow, what has to be zero, buffer and lag, the latest batches, this month's coverage, storage."""
        from firehose_page import charts, expect_zero, month, stations

        row = expect_zero.zeros(look)
        gaps = look.snapshot.coverage.all if look.snapshot.coverage else []
        now = look.snapshot.at
        return self._fill(
            request,
            "overview.html",
            look=look,
            zeros=row,
            stations=stations.stations(look, row),
            charts=[charts.buffer(look.day, gaps, now), charts.lag(look.day, gaps, now)],
            latest=look.day[: -latest - 1 : -1],
            month=month.month(now.date().replace(day=1), gaps, begins, now) if look.snapshot.coverage else None,
            open_gaps=look.snapshot.coverage.open[-5:][::-1] if look.snapshot.coverage else [],
        )

    def batches(self, request: Request, look: Look, found: Sequence[BatchPast], day: date | None) -> str:
        """The batches of a day, or of the latest 24 hours, the latest first."""
        before = (day or look.snapshot.at.date()) - timedelta(days=1)
        after = day + timedelta(days=1) if day and day < look.snapshot.at.date() else None
        known = look.snapshot.batches if day is None else None
        return self._fill(
            request, "batches.html", look=look, found=found[::-1], day=day, before=before, after=after, now=known
        )

    def coverage(
        self, request: Request, look: Look, first: date, gaps: Sequence[GapLine], begins: date | None
    ) -> str:
        """The calendar of a month, and its gaps."""
        from firehose_page import month

        made = month.month(first, gaps, begins, look.snapshot.at)
        return self._fill(request, "coverage.html", look=look, month=made)

    def objectives(self, request: Request, look: Look, found: Sequence[Objective]) -> str:
        """How each objective was kept, over 30 days and by day, the latest first."""
        by_day: dict[date, dict[str, Day]] = {}
        for one in found:
            for day in one.days:
                by_day.setdefault(day.date, {})[one.name] = day
        days = sorted(by_day.items(), reverse=True)
        return self._fill(request, "objectives.html", look=look, objectives=found, days=days, means=_MEANS)

    def storage(self, request: Request, look: Look) -> str:
        """What the lake takes by type, the disks, retention and backup."""
        known = look.snapshot.backup
        backup = known and {
            "last complete set": known.last or "none",
            "its age": words.span(known.age_hours * 3600) if known.age_hours >= 0 else "never",
            "last verified set": known.verified or "none",
            "last restore": words.span(known.restore_age_hours * 3600)
            if known.restore_age_hours >= 0
            else "never",
        }
        return self._fill(request, "storage.html", look=look, backup=backup)

    def batch(self, request: Request, found: BatchFile) -> str:
        """All that is known of one batch."""
        return self._fill(request, "batch.html", found=found)

    def runbook(self, request: Request) -> str:
        """docs/operations.md, as `make docs` has rendered it."""
        text = resources.files(_PACKAGE).joinpath("runbook.html").read_text(encoding="utf-8")
        return self._fill(request, "runbook.html", text=text)

    def reading(self, request: Request) -> str:
        """Shown while the first look is taken."""
        return self._fill(request, "reading.html")

    def error(self, request: Request, status: int, said: str) -> str:
        """What is wrong, in words."""
        return self._fill(request, "error.html", status=status, said=said)

    def _fill(self, request: Request, name: str, **values: Any) -> str:
        root = str(request.scope.get("root_path", "")).rstrip("/")
        here = request.url.path.removeprefix(root).split("/")[1:2]
        values |= {"root": root, "airflow": root.removesuffix("/firehose"), "here": here[0] if here else ""}
        return self._templates.get_template(name).render(values)
