"""Settings of the ingester, and the one reader of ``FIREHOSE_*`` that the whole project uses.

Lives here: typed settings, read once from the environment and an env file. Must not: any other I/O.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from ingester import crash

PREFIX = "FIREHOSE_"
DEFAULT_HOME = "~/tmp/bluesky_firehose"
ENV_FILE_NAME = "firehose.env"
# Variables of the prefix that are no settings: where to read them, and what only tests set.
_NO_SETTINGS = (PREFIX + "ENV_FILE", crash.AT, crash.PROOF)

S = TypeVar("S", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A setting is missing or wrong. The message names the variable and what to do."""


class IngesterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the ingester needs to know. Each field is the variable ``FIREHOSE_<FIELD>``."""

    home: Annotated[str, Meta(description="Folder of the embedded services' data, logs and env file")] = (
        DEFAULT_HOME
    )
    redis_url: Annotated[str, Meta(description="Redis that buffers the events")] = "redis://localhost:6379/0"
    jetstream_url: Annotated[
        str,
        Meta(
            description="Jetstream hosts in order of preference, comma-separated; "
            "…/subscribe is v1, …/xrpc/network.bsky.jetstream.subscribeEvents v2"
        ),
    ] = "wss://jetstream2.us-east.bsky.network/subscribe"
    wanted_collections: Annotated[
        str, Meta(description="Collections to ask for, comma-separated; empty: everything")
    ] = ""
    start_cursor: Annotated[
        int, Meta(ge=0, description="Cursor (µs) to start at while Redis and lake hold none; 0: the live tail")
    ] = 0
    lake: Annotated[
        str,
        Meta(
            description="Root of the Parquet lake, raw batches, quarantine and ledger; "
            "the ingester reads its manifests when Redis has lost its cursor"
        ),
    ] = "~/tmp/bluesky_data"
    rewind_ms: Annotated[
        int, Meta(ge=0, description="How far to step back from the stored cursor on each connection")
    ] = 2000
    zstd_dictionary: Annotated[
        str,
        Meta(
            description="Compress the stream: v1's zstd dictionary file, or `fetch` for v2 hosts only; "
            "v2 hosts serve theirs either way; empty: no compression"
        ),
    ] = ""
    max_message_bytes: Annotated[int, Meta(ge=1024, description="Largest websocket message accepted")] = (
        32 * 1024 * 1024
    )
    frame_events: Annotated[int, Meta(ge=1, le=5000, description="Most events in one frame")] = 500
    flush_events: Annotated[int, Meta(ge=1, description="Events that trigger a write to Redis")] = 4000
    flush_bytes: Annotated[int, Meta(ge=1024, description="Bytes that trigger a write to Redis")] = 8 * 1024 * 1024
    flush_ms: Annotated[int, Meta(ge=10, le=10_000, description="Longest wait before a write to Redis")] = 400
    data_timeout_s: Annotated[float, Meta(gt=0, description="Reconnect when no data has come for so long")] = 30.0
    backoff_max_s: Annotated[float, Meta(gt=0, description="Longest pause between two attempts")] = 30.0
    ingester_name: Annotated[
        str,
        Meta(description="An ingester of the same name takes over at once; another one waits for the lease"),
    ] = "ingester"
    lease_s: Annotated[float, Meta(gt=0, description="How long a silent writer keeps the right to write")] = 15.0
    log_level: Annotated[str, Meta(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Log level")] = "INFO"

    @property
    def lake_path(self) -> Path:
        """``lake`` as an absolute path."""
        return Path(self.lake).expanduser().absolute()


def read_settings(
    kind: type[S],
    environ: Mapping[str, str] | None = None,
    *,
    closed: bool = False,
    overrides: Mapping[str, object] | None = None,
) -> S:
    """Read ``kind`` from the environment, then the env file, then its defaults.

    The env file is ``$FIREHOSE_ENV_FILE`` (which must exist), else ``<home>/firehose.env`` if there is one.
    ``closed`` refuses ``FIREHOSE_`` variables that ``kind`` does not know, so that a typing error shows.

    Raises:
        SettingsError: a value of the wrong type or range, an unknown variable, an env file that is not there.
    """
    environ = os.environ if environ is None else environ
    merged = {**_env_file(environ), **environ}
    raw: dict[str, object] = {
        name[len(PREFIX) :].lower(): value
        for name, value in merged.items()
        if name.startswith(PREFIX) and name not in _NO_SETTINGS
    }
    raw.update(overrides or {})
    known = {field.name for field in msgspec.structs.fields(kind)}
    unknown = sorted(set(raw) - known)
    if closed and unknown:
        raise SettingsError(
            f"{PREFIX}{unknown[0].upper()} is no setting of this project; see docs/settings.md for the list"
        )
    try:
        return msgspec.convert({k: v for k, v in raw.items() if k in known}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), raw)) from None


def _env_file(environ: Mapping[str, str]) -> dict[str, str]:
    named = environ.get(PREFIX + "ENV_FILE")
    path = Path(named or Path(environ.get(PREFIX + "HOME", DEFAULT_HOME)) / ENV_FILE_NAME).expanduser()
    if named and not path.is_file():
        raise SettingsError(f"{PREFIX}ENV_FILE: no file at {path}; name an existing file or unset it")
    return {k: v for k, v in dotenv_values(path).items() if v is not None} if path.is_file() else {}


def _explain(error: str, raw: Mapping[str, object]) -> str:
    """msgspec's ``… - at `$.flush_ms``` as one line that names the variable and its value."""
    match = re.match(r"(.*?) - at `\$\.(\w+)`", error)
    if not match:
        return error
    reason, name = match[1], match[2]
    shown = "(hidden)" if any(word in name for word in ("password", "url", "key")) else repr(raw.get(name))
    return f"{PREFIX}{name.upper()}={shown}: {reason[0].lower()}{reason[1:]}; see docs/settings.md"


def redacted(url: str) -> str:
    """``url`` without its user and password, fit for a log."""
    return re.sub(r"//[^@/]*@", "//***@", url)
