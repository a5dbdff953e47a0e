"""docs/cookbook.md: what people ask and which recipe answers it, what recipes cost, and the recipes.

Figures are those of ``firehose bench cookbook``, kept in docs/cookbook.json. Must not: run a query; tests do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from devstack.bench.cookbook import CookbookReport, Figures
from firehose.warehouse.cookbook import Recipe, recipes

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_HEAD: Final = """# SQL cookbook

Queries to start from, each a file in `include/firehose/clickhouse/queries/` that a test runs. "The latest day"
is the latest in the summaries, so they work on a replay of old events too. Run one with
`firehose query - < include/firehose/clickhouse/queries/05_languages.sql`; the columns are in
[schema.md](schema.md). Each answer is checked against DuckDB on the Parquet files; what no query can answer is
in [limits.md](limits.md). For pandas, polars, DuckDB, Spark, Grafana and notebooks see
[other-tools.md](other-tools.md).

Most ask the tables that follow the ledger, in which accounts and record keys are numbers: `ops.names` has their
texts, of which a query looks up those of its answer. What no table has is read from the lake, in the files of the
hours that are named. Below each recipe stands what it reads and by what the rest is skipped, which a test compares
with the engine's plan and with the files that it opens; what it looks up first, such as the latest day, is not
named.

## What people ask

| question | recipes |
|---|---|
"""
#: What people ask of Bluesky data, and the numbers of the recipes that answer it.
QUESTIONS: Final = (
    (
        "Events and accounts by collection, by hour of day, first posters, longest spans (JSONBench Q1 to Q5)",
        "01 03 41 42 43 44",
    ),
    ("Most liked and reposted posts of a day or a week, with text and handle", "08 16"),
    ("How often a word or a phrase is used", "09 17"),
    ("Daily, weekly and monthly active accounts", "04 18"),
    ("What share of posts has images, has links, is a reply", "20"),
    ("Share of posts that link to a list of domains", "07 21"),
    ("Top links of 24 hours", "22"),
    ("Images with alternative texts, and whether such posts get more likes", "23"),
    ("Repeated descriptions of accounts, repeated texts", "24 25"),
    ("Most blocked accounts, lists and list blocks", "26 27 46"),
    ("Edges for a graph library", "28"),
    ("Who had which handle when", "29"),
    ("Followers at a date; followers gained; unfollows", "11 30"),
    ("Threads: size, tree, depth, deleted posts", "10 31"),
    ("Cohorts by first sighting, and who came back", "32"),
    ("Likes, reposts and answers within hours of posting", "33"),
    ("What exists now; how long deleted posts lived; posts of accounts that are gone", "13 34"),
    ("Languages, and by hour of the day", "05 19"),
    ("Accounts that post the same link within a minute", "35"),
    ("A random sample of accounts or posts", "36"),
    ("Self-labels, takedowns, states of accounts", "37 38"),
    ("Everything that one account did; all likes of one post", "39 40"),
    ("Trending tags", "06"),
    ("Events by minute, how late they arrive, what is missing of them, what was set aside", "02 12 14 15 45 47"),
)
_COSTS: Final = """
## What they cost

`firehose bench cookbook --events {events}`: a simulated day of {millions} million events, loaded as the pipeline
does; every recipe is asked by HTTP. {machine}
Seconds are by the client's clock: of the first run, and the median of three further ones. Rows and MB are those
read from tables and files, at the first run; peak is the memory that the engine counts for the query, if it ran
long enough to be looked at. *On the lake* is the same question asked without the tables of events, as these
recipes were before; a test compares the answers. *Memory*: the query needs more than the 2 GiB that the endpoint
lets it have.

| recipe | first, s | hot, s | MB read | rows | peak, MiB | on the lake: hot, s | MB read | peak, MiB |
|---|---|---|---|---|---|---|---|---|
"""
#: Of the run whose figures are kept.
_MACHINE: Final = "Two cores that other work kept busy at a load of 10 to 16, 24 GiB; November 2026."


def page() -> str:
    """The text of docs/cookbook.md."""
    known = recipes()
    titles = {recipe.name[:2]: recipe.title for recipe in known}
    questions = "".join(f"| {asked} | {_links(numbers, titles)} |\n" for asked, numbers in QUESTIONS)
    return "\n".join([_HEAD + questions + _costs(), *(_section(recipe) for recipe in known)])


def _links(numbers: str, titles: dict[str, str]) -> str:
    return ", ".join(f"[{number}](#{_anchor(titles[number])})" for number in numbers.split())


def _anchor(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _costs() -> str:
    report = msgspec.json.decode((_DOCS / "cookbook.json").read_bytes(), type=CookbookReport)
    head = _COSTS.format(events=report.events, millions=f"{report.events / 1e6:g}", machine=_MACHINE)
    return head + "".join(
        f"| {name} | {_cells(figures)} | {_beside(report.on_the_lake.get(name))} |\n"
        for name, figures in report.recipes.items()
    )


def _cells(figures: Figures) -> str:
    if figures.error:
        return "memory | | | |"
    cost = f"{figures.first_s:.3f} | {figures.hot_s:.3f} | {figures.read_mb:.1f} | {figures.rows:,}"
    return f"{cost} | {_peak(figures)}"


def _beside(figures: Figures | None) -> str:
    if figures is None:
        return "| |"
    return "memory | |" if figures.error else f"{figures.hot_s:.3f} | {figures.read_mb:.1f} | {_peak(figures)}"


def _peak(figures: Figures) -> str:
    return f"{figures.peak_mib:.0f}" if figures.peak_mib else ""


def _section(recipe: Recipe) -> str:
    reads = f"\n\nReads {recipe.reads}." if recipe.reads else ""
    return f"## {recipe.title}\n\n{recipe.about} (`{recipe.name}.sql`){reads}\n\n```sql\n{recipe.sql}\n```\n"
