"""Settings of the ingester, and the one reader of ``FIREHOSE_*`` that the whole project uses.

Lives here: typed settings, read once from the environment and an env file. Must not: any other I/O, the rules for
values (checks.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from ingester.contract import checks, crash, env_file
from ingester.contract.checks import PREFIX as PREFIX
from ingester.contract.checks import Check, complaint
from ingester.contract.checks import SettingsError as SettingsError
from ingester.contract.env_file import DEFAULT_HOME as DEFAULT_HOME
from ingester.contract.env_file import ENV_FILE_NAME as ENV_FILE_NAME

DEFAULT_REDIS_PASSWORDS = "redis-access"
#: Variables with the prefix that are not settings: the place of the env file, and two that only tests set.
NO_SETTINGS = (PREFIX + "ENV_FILE", crash.AT, crash.PROOF)

_DAY_S = 86_400
_DAY_MS = _DAY_S * 1000
_GIB = 1024**3
_INT64 = 2**63 - 1

S = TypeVar("S", bound="IngesterSettings")


def must(be: Check) -> dict[str, Any]:
    """The ``extra`` of a declaration: a check for a value whose type alone does not say enough."""
    return {"check": be}


class IngesterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the ingester. Each field is the variable ``FIREHOSE_<FIELD>``."""

    home: Annotated[
        str,
        Meta(description="Folder of the embedded services' data, logs and env file", extra=must(checks.home)),
    ] = DEFAULT_HOME
    redis_url: Annotated[str, Meta(description="Redis that buffers the events", extra=must(checks.redis_url))] = (
        "redis://localhost:6379/0"
    )
    redis_passwords: Annotated[
        str,
        Meta(
            description="Folder (relative: in FIREHOSE_HOME) with a file for each role (ingester, pipeline, "
            "monitoring) that holds its Redis password; not read where FIREHOSE_REDIS_URL has a login",
            extra=must(checks.folder),
        ),
    ] = DEFAULT_REDIS_PASSWORDS
    jetstream_url: Annotated[
        str,
        Meta(
            description="Jetstream hosts in order of preference, comma-separated; "
            "…/subscribe is v1, …/xrpc/network.bsky.jetstream.subscribeEvents v2",
            extra=must(checks.jetstream_urls),
        ),
    ] = "wss://jetstream2.us-east.bsky.network/subscribe"
    wanted_collections: Annotated[
        str,
        Meta(
            description="Collections to ask for, comma-separated; empty: everything",
            extra=must(checks.collections),
        ),
    ] = ""
    start_cursor: Annotated[
        int,
        Meta(
            ge=0, le=_INT64, description="Cursor (µs) to start at while Redis and lake hold none; 0: the live tail"
        ),
    ] = 0
    lake: Annotated[
        str,
        Meta(
            description="Root of the Parquet lake, raw batches, quarantine and ledger: a folder, in which "
            "the ingester reads manifests when Redis has lost its cursor, or "
            "s3://BUCKET/PREFIX?region=…&endpoint_override=HOST:PORT&scheme=http",
            extra=must(checks.optional(checks.folder)),
        ),
    ] = "~/tmp/bluesky_data"
    rewind_ms: Annotated[
        int,
        Meta(ge=0, le=_DAY_S * 1000, description="How far to step back from the stored cursor on each connection"),
    ] = 2000
    zstd_dictionary: Annotated[
        str,
        Meta(
            description="Compress the stream: v1's zstd dictionary file, or `fetch` for v2 hosts only; "
            "v2 hosts serve theirs either way; empty: no compression"
        ),
    ] = ""
    max_message_bytes: Annotated[int, Meta(ge=1024, le=_GIB, description="Largest websocket message accepted")] = (
        32 * 1024 * 1024
    )
    frame_events: Annotated[int, Meta(ge=1, le=5000, description="Most events in one frame")] = 500
    flush_events: Annotated[int, Meta(ge=1, le=10_000_000, description="Events that trigger a write to Redis")] = (
        4000
    )
    flush_bytes: Annotated[int, Meta(ge=1024, le=_GIB, description="Bytes that trigger a write to Redis")] = (
        8 * 1024 * 1024
    )
    flush_ms: Annotated[int, Meta(ge=10, le=10_000, description="Longest wait before a write to Redis")] = 400
    data_timeout_s: Annotated[
        float, Meta(gt=0, le=_DAY_S, description="Reconnect when no data has come for this long")
    ] = 30.0
    backoff_max_s: Annotated[float, Meta(gt=0, le=_DAY_S, description="Longest pause between two attempts")] = 30.0
    ingester_name: Annotated[
        str,
        Meta(
            description="An ingester of the same name takes over at once; another one waits for the lease",
            extra=must(checks.name),
        ),
    ] = "ingester"
    lease_s: Annotated[
        float, Meta(gt=0, le=_DAY_S, description="How long a silent writer keeps the right to write")
    ] = 15.0
    ingester_metrics: Annotated[
        str,
        Meta(
            description="Address HOST:PORT at which the ingester serves its metrics to Prometheus, 127.0.0.1:9464 "
            "for example; empty: nowhere",
            extra=must(checks.optional(checks.address)),
        ),
    ] = ""
    log_level: Annotated[
        str, Meta(description="Log level", extra=must(checks.one_of("DEBUG", "INFO", "WARNING", "ERROR")))
    ] = "INFO"

    @property
    def redis_passwords_path(self) -> Path:
        """``redis_passwords`` as an absolute path."""
        return Path(self.home).expanduser().absolute() / Path(self.redis_passwords).expanduser()

    @property
    def lake_is_remote(self) -> bool:
        """Tell whether the lake is not a folder, but at a URI."""
        return "://" in self.lake

    @property
    def lake_folder(self) -> Path | None:
        """The lake's folder as an absolute path; None where there is no lake, or it is not in a folder."""
        if not self.lake or self.lake_is_remote:
            return None
        return Path(self.lake).expanduser().absolute()

    def contradiction(self) -> str:
        """A line that names two settings that contradict each other; empty if none do."""
        return ""


def read_settings(
    kind: type[S],
    environ: Mapping[str, str] | None = None,
    *,
    closed: bool = False,
    overrides: Mapping[str, object] | None = None,
) -> S:
    """Read ``kind`` from the environment, then the env file, then its defaults.

    The env file is ``$FIREHOSE_ENV_FILE`` (which must exist), else ``<home>/firehose.env`` if that exists.
    ``closed`` refuses ``FIREHOSE_`` variables that ``kind`` does not know, so that typing errors are noticed.

    Raises:
        SettingsError: a wrong value, an unknown variable, settings that contradict each other, or an env file that
            does not exist or cannot be read.
    """
    environ = os.environ if environ is None else environ
    merged = {**env_file.variables(environ), **environ}
    raw: dict[str, object] = {
        name[len(PREFIX) :].lower(): value
        for name, value in merged.items()
        if name.startswith(PREFIX) and name not in NO_SETTINGS
    }
    raw.update(overrides or {})
    known = {field.name for field in msgspec.structs.fields(kind)}
    unknown = sorted(set(raw) - known)
    if closed and unknown:
        raise SettingsError(
            f"{PREFIX}{unknown[0].upper()} is not a setting of this project; see docs/settings.md for the list"
        )
    try:
        return checked(msgspec.convert({k: v for k, v in raw.items() if k in known}, kind, strict=False))
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error), raw)) from None


def checked(settings: S) -> S:
    """Return ``settings`` if every value passes its check and none contradicts another.

    Raises:
        SettingsError: a value does not; the message names the variable.
    """
    for name, hint in get_type_hints(type(settings), include_extras=True).items():
        value = getattr(settings, name)
        check: Check = (hint.__metadata__[0].extra or {}).get("check", checks.text)
        if wrong := check(value if isinstance(value, str) else str(value)):
            raise SettingsError(complaint(name, value, wrong))
    if wrong := settings.contradiction():
        raise SettingsError(wrong)
    return settings


def _explain(error: str, raw: Mapping[str, object]) -> str:
    """Turn msgspec's ``… - at `$.flush_ms``` into one line that names the variable and its value."""
    match = re.match(r"(.*?) - at `\$\.(\w+)`", error)
    if not match:
        return error
    return complaint(match[2], raw.get(match[2]), match[1][0].lower() + match[1][1:])


def redacted(url: str) -> str:
    """``url`` without user and password, for a log."""
    return re.sub(r"//[^/\s]*@", "//***@", url)
