"""The Jetstream hosts to listen to, in order of preference, and the URL of a subscription to one of them.

Lives here: reading ``FIREHOSE_JETSTREAM_URL``, and the query of a subscription. Must not: connections, clocks.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ingester.contract.checks import jetstream_urls
from ingester.contract.settings import IngesterSettings, SettingsError

V1: Final = "v1"
V2: Final = "v2"
#: A URL whose path ends in this method speaks v2; every other one is taken for v1's /subscribe.
V2_METHOD: Final = "network.bsky.jetstream.subscribeEvents"
#: v2 reads a cursor from this value on as a time in µs, a lesser one as a sequence number.
V2_TIME_CURSOR: Final = 10**15


class Host(NamedTuple):
    """One entry of the list. ``name`` is host and port without a login; a cursor belongs to name and protocol."""

    url: str
    name: str
    protocol: str


def hosts(settings: IngesterSettings) -> tuple[Host, ...]:
    """The hosts of ``jetstream_url``; at least one.

    Raises:
        SettingsError: an entry is not a websocket URL.
    """
    return tuple(_host(url.strip()) for url in settings.jetstream_url.split(","))


def _host(url: str) -> Host:
    if wrong := jetstream_urls(url):
        raise SettingsError(f"FIREHOSE_JETSTREAM_URL: {wrong}")
    parts = urlsplit(url)
    protocol = V2 if parts.path.rstrip("/").endswith("/" + V2_METHOD) else V1
    return Host(url, parts.netloc.rpartition("@")[2], protocol)


def subscribe_url(
    settings: IngesterSettings, host: Host, cursor: int, *, skip_large: bool = False, dictionary: int = 0
) -> str:
    """The URL to connect to; ``cursor`` 0 means the live tail.

    ``skip_large``: ask the server to leave out messages larger than ``max_message_bytes``, which it would
    otherwise send again and again. ``dictionary``: the id of the zstd dictionary to compress with.
    """
    parts = urlsplit(host.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    v1 = host.protocol == V1
    wanted = [name.strip() for name in settings.wanted_collections.split(",")]
    query += [("wantedCollections" if v1 else "collections", name) for name in wanted if name]
    if dictionary:
        query.append(("compress", "true") if v1 else ("zstdDictionary", str(dictionary)))
    if skip_large:
        query.append(("maxMessageSizeBytes", str(settings.max_message_bytes)))
    if cursor:
        query.append(("cursor", str(cursor)))
    return urlunsplit(parts._replace(query=urlencode(query)))
