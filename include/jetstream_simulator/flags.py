"""The options of ``firehose simulate`` and of ``python -m jetstream_simulator``, as typer reads them.

Lives here: their names, types, defaults and help. Must not: run anything, or import what is heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Optional

import typer


@dataclass(frozen=True, kw_only=True)
class Flags:
    """One field for each option. Those that a simulator takes as they are have the same name in its ``Config``."""

    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 6008
    rate: Annotated[
        Optional[float],  # noqa: UP045 - typer reads it at run time
        typer.Option(min=0, help="Events a second; 0: as fast as clients read. Default: 500, or 0 with --replay."),
    ] = None
    events: Annotated[int, typer.Option(min=0, help="Stop after making this many events; 0: never.")] = 0
    seed: Annotated[int, typer.Option(help="The same seed makes the same events.")] = 0
    malformed: Annotated[float, typer.Option(min=0, max=1, help="Share of invalid synthetic events.")] = 0.0
    replay: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="Send the events of this file (plain, .gz or .zst) instead; repeatable."),
    ] = None
    loop: Annotated[bool, typer.Option("--loop/--once", help="Replay again at the end, or stop.")] = False
    keep_invalid: Annotated[
        bool, typer.Option("--keep-invalid", help="Send replayed lines that are not JSON objects as they are.")
    ] = False
    dictionary: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="zstd dictionary file for clients that ask for compression."),
    ] = None
    retention: Annotated[int, typer.Option(min=1, help="Events kept for cursors.")] = 1_000_000
    retention_mib: Annotated[int, typer.Option(min=1, help="MiB of events kept for cursors.")] = 1024
    record: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Write every event that is put on the stream to this file."),
    ] = None
    start: Annotated[
        str, typer.Option(help="When simulated time begins (RFC 3339 or microseconds); default: now.")
    ] = ""
    outbox: Annotated[
        int, typer.Option(min=0, help="Drop a live client that is further behind than this; 0: never.")
    ] = 10_000
    client_rate: Annotated[
        float, typer.Option(min=0, help="Most events a second for one address, tenfold in replay; 0: any.")
    ] = 0.0
    v2_host: Annotated[
        bool, typer.Option("--v2-host", help="Let /subscribe be that of a v2 host: each event names its cursor.")
    ] = False
    v2_dictionary: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="zstd dictionary file that v2 serves and compresses with."),
    ] = None
    first_seq: Annotated[int, typer.Option(min=1, help="v2's sequence number of the first event.")] = 1
    lookback: Annotated[
        int, typer.Option(min=0, help="How many events a cursor reaches back; 0: all retained ones.")
    ] = 0
    sync: Annotated[float, typer.Option(min=0, max=1, help="Share of sync events, which only v2 sends.")] = 0.0
    resync: Annotated[
        int, typer.Option(min=0, help="Most records that an account sends again after its sync event.")
    ] = 0
    imported: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, max=1, help="Share of commits with an imported time; v2 says both times of each."),
    ] = None
    segment_events: Annotated[int, typer.Option(min=1, help="Events in a segment of v2's archive.")] = 16_384
    block_events: Annotated[int, typer.Option(min=1, help="Events in a block of a segment.")] = 1024
    plan_entries: Annotated[int, typer.Option(min=1, help="Entries on a page of planSnapshot.")] = 100_000
    archive_key: Annotated[str, typer.Option(help="Key that the archive's calls ask for.")] = ""
    archive_quota: Annotated[
        int, typer.Option(min=0, help="Bytes that the archive gives in a window; then HTTP 429. 0: any.")
    ] = 0
    archive_window: Annotated[float, typer.Option(min=0, help="Seconds of that window.")] = 60.0
    archive_redirect: Annotated[
        bool, typer.Option("--archive-redirect", help="Redirect downloads to another host: localhost.")
    ] = False
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds to answer 503 at first.")] = 0.0
    omit: Annotated[str, typer.Option(help="Leave this collection out, as a partial host does.")] = ""
    omit_after: Annotated[int, typer.Option(min=0, help="Do so after this many events of the source.")] = 0
    end_with_input: Annotated[
        bool, typer.Option("--end-with-input", help="Stop when standard input is closed.")
    ] = False
    # The earlier names of options, for one version.
    odd: Annotated[Optional[float], typer.Option(min=0, max=1, hidden=True)] = None  # noqa: UP045
    blind: Annotated[Optional[str], typer.Option(hidden=True)] = None  # noqa: UP045
    blind_after: Annotated[Optional[int], typer.Option(min=0, hidden=True)] = None  # noqa: UP045


EARLIER_NAMES: Final = {"odd": "malformed", "blind": "omit", "blind_after": "omit_after"}
