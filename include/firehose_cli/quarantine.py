"""``firehose quarantine list|show|replay``: options, and what is printed.

Lives here: reading options, printing. Must not: read the lake, judge an event (firehose.quality, firehose.lake).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple, Optional

import typer

if TYPE_CHECKING:
    from firehose.quality.quarantined import BadEvent, Verdict, Wanted
    from firehose.settings import Settings

app = typer.Typer(no_args_is_help=True, help="See events that no rule let pass, and replay those that pass now.")

_Batches = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads it at run time
    typer.Option("--batch", help="Only this batch, such as 20261123T204000Z; repeatable."),
]
_Types = Annotated[
    Optional[list[str]],  # noqa: UP045 - as above
    typer.Option("--type", help="Only this record type; repeatable."),
]
_Reason = Annotated[str, typer.Option(help="Only events whose reason has this text in it.")]
_From = Annotated[str, typer.Option("--from", help="Batches from this time on: 24h, 7d, 2026-11-23T20:40:00Z.")]
_To = Annotated[str, typer.Option("--to", help="Batches before this time, as for --from.")]
_Json = Annotated[bool, typer.Option("--json", help="Print a JSON object for each line.")]


@app.command("list")
def list_(
    batch: _Batches = None,
    record_type: _Types = None,
    reason: _Reason = "",
    since: _From = "",
    until: _To = "",
    by_batch: Annotated[bool, typer.Option("--by-batch", help="Count each batch by itself.")] = False,
    as_json: _Json = False,
) -> None:
    """Count quarantined events by type and reason, the most frequent first."""
    import msgspec
    from rich.table import Table

    from firehose.quality.quarantined import events
    from firehose_cli.console import harmless, stdout
    from firehose_cli.lake import existing_lake

    counted: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str, str], str] = {}
    last: dict[tuple[str, str, str], str] = {}
    for event in events(existing_lake(), _wanted(batch, record_type, reason, since, until)):
        key = (event.batch if by_batch else "", event.type, event.reason)
        counted[key] += 1
        first.setdefault(key, event.batch)
        last[key] = event.batch
    table = Table("events", "type", "reason", "first batch", "last batch", box=None)
    for key, count in counted.most_common():
        _, of_type, why = key
        if as_json:
            fields = {"type": of_type, "reason": why, "events": count, "first": first[key], "last": last[key]}
            typer.echo(msgspec.json.encode(fields))
        else:
            table.add_row(f"{count:,}", of_type, harmless(why), first[key], last[key])
    if counted and not as_json:
        stdout().print(table)
    typer.echo(f"{counted.total():,} events are in quarantine", err=True)


@app.command()
def show(
    batch: _Batches = None,
    record_type: _Types = None,
    reason: _Reason = "",
    since: _From = "",
    until: _To = "",
    limit: Annotated[int, typer.Option(min=0, help="The most events to print; 0: all.")] = 20,
    as_json: _Json = False,
) -> None:
    """Print quarantined events with their reason, and what came over the wire."""
    from firehose.quality.quarantined import events
    from firehose_cli.console import until_closed
    from firehose_cli.lake import existing_lake

    found = events(existing_lake(), _wanted(batch, record_type, reason, since, until))
    with until_closed():
        _print(islice(found, limit) if limit else found, as_json=as_json)


@app.command()
def replay(
    batch: _Batches = None,
    since: _From = "",
    until: _To = "",
    do: Annotated[bool, typer.Option("--do", help="Do it. Without this nothing is changed.")] = False,
    as_json: _Json = False,
) -> None:
    """Validate batches again whose quarantined events pass the present rules, and publish what passes.

    Each event is published once, whatever dies on the way. A batch whose raw files have expired is refused.
    """
    from firehose.lake.replay import batch_of, interrupted
    from firehose.lake.replay import replay as run
    from firehose.quality.quarantined import batches, judge
    from firehose.settings import load
    from firehose_cli.exit_codes import ExitCode
    from firehose_cli.lake import existing_lake

    lake, settings = existing_lake(), load()
    wanted = _wanted(batch, None, "", since, until)
    killed = {name for name in interrupted(lake) if wanted.has_batch(name)}
    refused = replayed = 0
    for name in sorted({*batches(lake, wanted), *killed}):
        verdict = judge(lake, name)
        interval, why_not = batch_of(lake, name)
        wants = bool(verdict.passes) or name in killed
        if wants and do and not why_not:
            run(settings, interval)
            replayed += 1
        refused += wants and bool(why_not)
        said = _Said(verdict, name in killed, why_not if wants else "", wants and do and not why_not)
        said.print(as_json=as_json)
    _say_what_follows(settings, replayed, do=do)
    raise typer.Exit(ExitCode.of(ok=not refused))


class _Said(NamedTuple):
    """What became of a batch, or would."""

    verdict: Verdict
    killed: bool
    why_not: str
    done: bool

    def print(self, *, as_json: bool) -> None:
        """One line."""
        import msgspec

        name, passes, stays = self.verdict.batch, dict(self.verdict.passes), self.verdict.stays
        if as_json:
            fields = {"batch": name, "passes": passes, "stays": stays, "interrupted": self.killed}
            typer.echo(msgspec.json.encode(fields | {"replayed": self.done, "refused": self.why_not}))
        elif self.why_not:
            typer.echo(f"{name}: {self._what()} would be published, but {self.why_not}", err=True)
        elif passes or self.killed:
            verb = "published" if self.done else "would be published"
            typer.echo(f"{name}: {self._what()} {verb}, {stays} stay")
        else:
            typer.echo(f"{name}: none of {stays} events passes")

    def _what(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.verdict.passes.items())
        killed = "what a validation has let pass that was not published" if self.killed else ""
        return " and ".join(filter(None, (counts, killed)))


def _say_what_follows(settings: Settings, replayed: int, *, do: bool) -> None:
    if replayed:
        typer.echo("The next batch updates the summaries; to update them now: firehose summaries", err=True)
    elif not do:
        typer.echo(f"nothing was changed in {settings.lake_path}: --do replays these batches", err=True)


def _print(found: Iterable[BadEvent], *, as_json: bool) -> None:
    """Each event as a JSON object, or as two lines: what and why, then what came."""
    import base64

    import msgspec

    from firehose_cli.console import harmless

    for event in found:
        if not as_json:
            typer.echo(f"{event.batch} {event.type} {event.time_us}: {harmless(event.reason)}")
            typer.echo(f"    {harmless(event.raw.decode(errors='backslashreplace'))}")
            continue
        try:
            raw = {"raw": event.raw.decode()}
        except UnicodeDecodeError:
            raw = {"raw_base64": base64.b64encode(event.raw).decode()}
        typer.echo(msgspec.json.encode({**event._asdict(), "raw": None} | raw))
    sys.stdout.flush()


def _wanted(batch: list[str] | None, record_type: list[str] | None, reason: str, since: str, until: str) -> Wanted:
    from firehose.quality.quarantined import Wanted
    from firehose_cli.lake import batches_of, moment_of, types_of

    return Wanted(
        moment_of("--from", since),
        moment_of("--to", until),
        tuple(batches_of(batch or [])),
        tuple(types_of(record_type or [])),
        reason,
    )
