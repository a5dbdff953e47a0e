"""Where to resume: the URL of a subscription, made from the settings and a cursor. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from ingester.settings import IngesterSettings, SettingsError

#: Hosts stamp the same event differently: on another host the rewind is at least so long (µs).
OTHER_HOST_REWIND_US: Final = 60_000_000


def subscribe_url(settings: IngesterSettings, cursor: int, *, other_host: bool, skip_large: bool) -> str:
    """The URL to connect to; ``cursor`` 0 means the live tail.

    ``other_host``: the cursor was made by another host. ``skip_large``: ask the server to leave out what
    is larger than ``max_message_bytes``, which it would otherwise send again and again.

    Raises:
        SettingsError: ``jetstream_url`` is no websocket URL.
    """
    parts = _parts(settings)
    query = parse_qsl(parts.query, keep_blank_values=True)
    wanted = settings.wanted_collections.split(",")
    query += [("wantedCollections", name.strip()) for name in wanted if name.strip()]
    if settings.zstd_dictionary:
        query.append(("compress", "true"))
    if skip_large:
        query.append(("maxMessageSizeBytes", str(settings.max_message_bytes)))
    if cursor:
        rewind = settings.rewind_ms * 1000
        rewind = max(rewind, OTHER_HOST_REWIND_US) if other_host else rewind
        query.append(("cursor", str(max(1, cursor - rewind))))
    return urlunsplit(parts._replace(query=urlencode(query)))


def host(settings: IngesterSettings) -> str:
    """The host (and port) that stamps the events, without a login.

    Raises:
        SettingsError: ``jetstream_url`` is no websocket URL.
    """
    return _parts(settings).netloc.rpartition("@")[2]


def _parts(settings: IngesterSettings) -> SplitResult:
    parts = urlsplit(settings.jetstream_url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise SettingsError("FIREHOSE_JETSTREAM_URL: must be ws://… or wss://…, ending in /subscribe")
    return parts
