"""Answers of an archive that are not the content asked for: redirects and refusals.

Lives here: decisions on a status and its headers. Must not: connections; show a key or the query of a redirect.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from firehose.backfill.access import origin
from firehose.backfill.call import Call
from firehose.errors import FirehoseError, ServiceUnavailable, Throttled

_SAME_METHOD: Final = (307, 308)
_NO_KEY: Final = (
    "it asks for a key: set FIREHOSE_ARCHIVE_KEY (or …_KEY_FILE), and FIREHOSE_ARCHIVE_URL to this host"
)
_UNKNOWN_KEY: Final = "it does not know the key of FIREHOSE_ARCHIVE_KEY or FIREHOSE_ARCHIVE_KEY_FILE: check it"


class _Error(msgspec.Struct):
    error: str = ""
    message: str = ""


def redirected(call: Call, url: str, response: httpx.Response) -> str:
    """The address that a redirect leads to. Error messages leave out its query, which may be a signature.

    Raises:
        ServiceUnavailable: it leads nowhere, to an unencrypted address, or would turn a POST into another method.
    """
    where = f"{call.host.name}: {call.name}"
    target = _target(url, response.headers.get("Location", ""))
    scheme, name, _ = origin(target)
    if scheme not in ("http", "https") or not name:
        raise ServiceUnavailable(f"{where} is redirected, but not to a valid address")
    if urlsplit(url).scheme == "https" and scheme != "https":
        raise ServiceUnavailable(f"{where} is redirected to {name} without encryption")
    status = response.status_code
    if call.body is not None and status not in _SAME_METHOD:
        raise ServiceUnavailable(f"{where}, a POST, is redirected with HTTP {status}: it would be lost")
    return target


def _target(url: str, location: str) -> str:
    """The address that a redirect names; empty if it names none, or one that is not valid."""
    if not location:
        return ""
    try:
        target = urljoin(url, location)
        origin(target)[1].encode("idna")  # as a resolver does
        return str(httpx.URL(target))
    except (ValueError, httpx.InvalidURL):
        return ""


def refused(call: Call, url: str, response: httpx.Response, body: bytes) -> FirehoseError:
    """The error for a status that is neither success nor redirect. Its type says whether a retry may help."""
    status = response.status_code
    text = f"{_host(call, url)}: {call.name} is refused with HTTP {status} {_said(call, body)}".rstrip()
    if status == HTTPStatus.UNAUTHORIZED:
        return FirehoseError(f"{text}; {_UNKNOWN_KEY if call.key else _NO_KEY}")
    if status == HTTPStatus.FORBIDDEN:
        return FirehoseError(f"{text}; the key does not allow it: ask whoever runs the archive")
    wait_s = _wait_s(response.headers.get("Retry-After", ""))
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait_s):
        return Throttled(
            f"{text}; it asks to wait {wait_s:.0f} s: run the backfill again then, it continues from here", wait_s
        )
    return ServiceUnavailable(text)


def _host(call: Call, url: str) -> str:
    if origin(url) == origin(call.url):
        return call.host.name
    return f"{call.host.name} (redirected to {urlsplit(url).hostname})"


def _said(call: Call, body: bytes) -> str:
    """The reason that a server gives, in one line and without the key, which a server may repeat."""
    try:
        told = msgspec.json.decode(body, type=_Error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    said = " ".join(f"{told.error} {told.message}".split())
    # Hidden before the text is cut: a cut could leave the beginning of the key.
    return (said.replace(call.key.secret, "***") if call.key else said)[:200]


def _wait_s(retry_after: str) -> float:
    """``Retry-After`` in seconds, whether given as seconds or as a date; 0 if it cannot be read."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
