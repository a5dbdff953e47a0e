"""The Jetstream hosts to listen to, in order of preference, as ``FIREHOSE_JETSTREAM_URL`` names them. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ingester.checks import jetstream_urls
from ingester.settings import IngesterSettings, SettingsError

V1: Final = "v1"
V2: Final = "v2"
#: A URL whose path ends in this method speaks v2; every other one is taken for v1's /subscribe.
V2_METHOD: Final = "network.bsky.jetstream.subscribeEvents"


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
