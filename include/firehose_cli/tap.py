"""``firehose tap``: live events on the terminal, one a line; or as JSON lines.

Lives here: options, the one-line form. Must not: connect, choose events (firehose.tap).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, Optional

import typer

from firehose_cli.console import harmless, until_closed

if TYPE_CHECKING:
    from rich.text import Text

    from firehose.tap.events import Seen

_STYLES: Final = {"create": "green", "update": "yellow", "delete": "red"}
_TEXT: Final = 200
_Several = Optional[list[str]]  # noqa: UP045 - typer reads it at run time


class Source(StrEnum):
    """Where the events are taken from."""

    HOST = "host"
    REDIS = "redis"


def tap(
    record_type: Annotated[
        _Several, typer.Option("--type", help="Record type, such as posts; repeatable.")
    ] = None,
    did: Annotated[_Several, typer.Option(help="Account; repeatable.")] = None,
    collection: Annotated[_Several, typer.Option(help="Collection, or app.bsky.graph.*; repeatable.")] = None,
    lang: Annotated[
        _Several, typer.Option(help="Language that a post names: en is en-GB too; repeatable.")
    ] = None,
    word: Annotated[
        _Several, typer.Option(help="Text that is in a post, a name or a description; repeatable: any of them.")
    ] = None,
    operation: Annotated[
        _Several, typer.Option(help="create, update, delete, identity, account or sync; repeatable.")
    ] = None,
    count: Annotated[int, typer.Option(min=0, help="End after this many events; 0: go on until Ctrl-C.")] = 0,
    source: Annotated[
        Source,
        typer.Option("--from", help="host: a connection of its own; redis: what the ingester writes, read only."),
    ] = Source.HOST,
    url: Annotated[str, typer.Option(help="Another host than the first of FIREHOSE_JETSTREAM_URL.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="The messages as they came, one a line; the default in a pipe.")
    ] = False,
) -> None:
    """Show live events, and choose among them. The ingester and its Redis do not notice."""
    from firehose.settings import load
    from firehose.tap.wanted import Wanted
    from firehose_cli.lake import types_of

    wanted = Wanted(
        tuple(types_of(record_type or [])),
        *(tuple(values or ()) for values in (did, collection, lang, word, operation)),
    )
    if source is Source.REDIS:
        from firehose.tap.buffered import messages as from_redis

        events = from_redis(load(), wanted)
    else:
        from firehose.jetstream import host_of
        from firehose.tap.live import messages as from_host

        events = from_host(host_of(url or load().jetstream_url.split(",")[0]), wanted)
    _show(islice(events, count) if count else events, as_json=as_json or not sys.stdout.isatty())


def _show(events: Iterator[Seen], *, as_json: bool) -> None:
    """Print until Ctrl-C, or until the reader (``| head``) has had enough: both are ways to end it."""
    from firehose_cli.console import stdout

    console = stdout()
    with until_closed(), suppress(KeyboardInterrupt):
        for event in events:
            if as_json:
                sys.stdout.buffer.write(event.raw.replace(b"\n", b" ").rstrip() + b"\n")
                sys.stdout.buffer.flush()
            else:
                console.print(line(event), no_wrap=True, overflow="ellipsis", crop=True)


def line(event: Seen) -> Text:
    """``20:40:05 create posts did:plc:… en  the text``."""
    from datetime import UTC, datetime, timedelta

    from rich.text import Text

    try:
        at = f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time_us):%H:%M:%S}"
    except OverflowError:  # a time that no calendar has
        at = "??:??:??"
    what = event.type if event.type != "other" else event.collection or event.type
    parts = [
        (at + " ", "dim"),
        (f"{event.operation:8} ", _STYLES.get(event.operation, "cyan")),
        (f"{harmless(what)[:40]:12} ", "bold"),
        (f"{harmless(event.did)} ", "blue"),
        (f"{','.join(map(harmless, event.langs))} " if event.langs else "", "magenta"),
        (harmless(event.text or _about(event))[:_TEXT], ""),
    ]
    return Text.assemble(*parts)


def _about(event: Seen) -> str:
    """What a record without words is about: whom it follows, what it likes; else its key."""
    subject = event.record.get("subject")
    uri = subject.get("uri") if isinstance(subject, dict) else subject
    return uri if isinstance(uri, str) else event.rkey
