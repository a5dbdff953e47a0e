"""Checks for the values of settings: each takes a value and returns what is wrong with it, or an empty string.

Lives here: the rules, which the declarations of the settings name. Must not: I/O, assign rules to settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

Check = Callable[[str], str]


class SettingsError(ValueError):
    """A setting is missing or wrong. The message names the variable and what to do."""


def complaint(name: str, value: object, wrong: str) -> str:
    """The message for a setting (named by its field) whose value is ``wrong``; possible secrets are not shown."""
    hidden = any(word in name for word in ("password", "url", "key")) or "://" in str(value)
    shown = "(hidden)" if hidden else f"{value!r:.200}"
    return f"{PREFIX}{name.upper()}={shown}: {wrong}; see docs/settings.md"


PREFIX: Final = "FIREHOSE_"
_COLLECTION: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*(\.\*)?")
_MAIL: Final = re.compile(r"[^@\s,]+@[^@\s,]+")
#: ClickHouse reads some of these in a path as wildcards, and silently no partition below a quotation mark.
_UNREADABLE: Final = re.compile(r"[*?{}\"]|\b(year|month|day|hour|user_did)=")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_V2: Final = "/xrpc/network.bsky.jetstream.subscribeEvents"


def text(value: str) -> str:
    """Accept text that a log line, a command line and a file name can hold."""
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in value):
        return "has a control character, or bytes that are not UTF-8"
    return ""


def name(value: str) -> str:
    """Accept text that is not empty."""
    return text(value) or ("" if value.strip() else "must not be empty")


def identifier(value: str) -> str:
    """Accept a name that needs no quotes in SQL."""
    return "" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) else "must be letters, digits and _ only"


def one_of(*allowed: str) -> Check:
    """A check that accepts one of these words."""
    return lambda value: "" if value in allowed else f"must be one of {', '.join(allowed)}"


def optional(check: Check) -> Check:
    """A check that accepts an empty value, or what ``check`` accepts."""
    return lambda value: check(value) if value else ""


def host_and_port(value: str) -> tuple[str, int]:
    """The parts of HOST:PORT; an IPv6 address is in brackets.

    Raises:
        ValueError: it is not one.
    """
    host, _, port = value.rpartition(":")
    if not _HOST_NAME.fullmatch(host.strip("[]")) or not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ValueError("must be HOST:PORT, 127.0.0.1:9464 for example")
    return host.strip("[]"), int(port)


def address(value: str) -> str:
    """Accept HOST:PORT."""
    try:
        host_and_port(value)
    except ValueError as error:
        return str(error)
    return ""


def folder(value: str) -> str:
    """Accept a path that can be made absolute; it need not exist."""
    if wrong := name(value):
        return wrong
    try:
        Path(value).expanduser()
    except RuntimeError:
        return "begins with ~ and a user who has no home folder"
    return ""


def home(value: str) -> str:
    """Accept a folder that the embedded services can use."""
    if found := re.search(r"[\\&?]", value):
        return f"has {found[0]!r}, which the embedded ClickHouse cannot have in a path: choose one without \\ & ?"
    return folder(value)


def lake_root(value: str) -> str:
    """Accept a folder, or a URL for ClickHouse, that the views can read."""
    if found := _UNREADABLE.search(value):
        return f"has {found[0]!r}, which is a wildcard or a partition to ClickHouse: choose another path"
    return folder(value)


def folder_or_store(value: str) -> str:
    """Accept a folder, or a URI of an object store: bucket first, options as a query."""
    if "://" not in value:
        return folder(value)
    said = "must be a folder, or s3://BUCKET/FOLDER, gs://… or abfs://…"
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that are not an IPv6 address
        return said
    return text(value) or ("" if parts.scheme in ("s3", "gs", "abfs") and parts.netloc else said)


def collections(value: str) -> str:
    """Accept NSIDs, or prefixes such as ``app.bsky.*``, separated by commas."""
    for part in filter(None, map(str.strip, value.split(","))):
        if not _COLLECTION.fullmatch(part):
            return "must be collections such as app.bsky.feed.post or app.bsky.graph.*, separated by commas"
    return ""


def mail(value: str) -> str:
    """Accept one mail address, or several separated by commas."""
    ok = not text(value) and all(_MAIL.fullmatch(part.strip()) for part in value.split(","))
    return "" if ok else "must be a mail address, or several separated by commas"


def instant(value: str) -> str:
    """Accept a time with a zone, in the form of RFC 3339."""
    try:
        zoned = datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        zoned = False
    return "" if zoned else "must be a date and time with a zone, such as 2026-11-23T20:40:00Z"


def day(value: str) -> str:
    """Accept a day."""
    try:
        whole = f"{datetime.strptime(value, '%Y-%m-%d'):%Y-%m-%d}" == value
    except ValueError:
        whole = False
    return "" if whole else "must be a day such as 2024-09-29"


def divides_an_hour(value: str) -> str:
    """Accept minutes that divide an hour: a cron expression has no other equal intervals."""
    return "" if 60 % int(value) == 0 else "must divide 60, such as 1, 5, 10 or 60"


def url(*schemes: str) -> Check:
    """A check that accepts a URL with a host and one of ``schemes``."""
    said = "must be " + " or ".join(f"{scheme}://HOST" for scheme in schemes)
    return lambda value: _address(value, schemes, said)


def redis_url(value: str) -> str:
    """Accept a URL for redis-py, which would use database 0 if the name of the database were not a number."""
    said = "must be redis://HOST:PORT/DATABASE, rediss://… or unix:///PATH"
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that are not an IPv6 address
        return said
    unix = parts.scheme == "unix"
    if wrong := text(value) if unix else _address(value, ("redis", "rediss"), said):
        return wrong
    databases = [*([] if unix else [parts.path.removeprefix("/")]), *parse_qs(parts.query).get("db", [])]
    if not all(re.fullmatch(r"\d*", database, re.ASCII) for database in databases):
        return f"{said}: the database is a number"
    return "" if parts.path or not unix else said


def database_url(value: str) -> str:
    """Accept the address of Airflow's database as SQLAlchemy writes it."""
    if value.startswith("sqlite:///"):
        return folder(value.removeprefix("sqlite:///"))
    said = "must be sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    return _address(value, ("postgresql", "postgresql+psycopg2", "postgresql+psycopg"), said)


def clickhouse_url(value: str) -> str:
    """Accept a server's HTTP address. The driver would use a path as the database of every statement."""
    said = "must be http://HOST:PORT or https://HOST:PORT"
    if wrong := _address(value, ("http", "https"), said):
        return wrong
    parts = urlsplit(value)
    if parts.path.strip("/") or parts.fragment:
        return f"{said} without a path: the pipeline has databases of its own"
    if "@" in parts.netloc:
        return "must not hold a login: set FIREHOSE_CLICKHOUSE_LOADER and FIREHOSE_CLICKHOUSE_ANALYST"
    return ""


def jetstream_urls(value: str) -> str:
    """Accept one Jetstream host, or several separated by commas."""
    said = (
        f"each host must be ws://… or wss://…, ending in /subscribe (v1) or {_V2} (v2); separate several by commas"
    )
    return next(filter(None, (_address(part.strip(), ("ws", "wss"), said) for part in value.split(","))), "")


def host_names(value: str) -> str:
    """Accept names or addresses of hosts, separated by commas."""
    ok = all(_HOST_NAME.fullmatch(part.strip()) for part in value.split(","))
    return "" if ok else "must be host names without scheme and port, separated by commas"


def origins(value: str) -> str:
    """Accept origins of web pages, as browsers send them, separated by commas."""
    said = "must be origins such as https://host or http://host:port, separated by commas"
    for part in map(str.strip, value.split(",")):
        if wrong := _address(part, ("http", "https"), said):
            return wrong
        parts = urlsplit(part)
        if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
            return said
    return ""


def _address(value: str, schemes: tuple[str, ...], said: str) -> str:
    if wrong := text(value):
        return wrong
    try:
        parts = urlsplit(value)
        # Both raise as a connection would: for a port out of range, or a name that cannot be resolved.
        port, _ = parts.port, (parts.hostname or "").encode("idna")
    except ValueError as error:
        return f"{said} ({_shortly(error)})"
    if parts.scheme not in schemes or not _host(parts) or re.search(r"\s", value):
        return said
    return "the port must be from 1 to 65535" if port == 0 else ""


def _host(parts: SplitResult) -> bool:
    return bool(parts.hostname) and not re.search(r"[\"'<>\\^`{|}]", parts.hostname or "")


def _shortly(error: ValueError) -> str:
    """The reason, without the value, which may contain a password."""
    if isinstance(error, UnicodeError):
        return "the host is not a name"
    return "the port must be from 1 to 65535" if "ort" in str(error) else "not a URL"
