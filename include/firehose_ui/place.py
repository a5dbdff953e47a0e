"""Where the page is and what follows from that: who may reach it, whether it asks for a password, over what.

Pure. Must not: listen, answer.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from firehose.settings import Settings, SettingsError
from ingester.contract import checks

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class Place(NamedTuple):
    """``url`` is what readers open; ``login``: it asks for a password; ``secure``: their way to it has TLS."""

    host: str
    port: int
    url: str
    login: bool
    secure: bool

    @property
    def hosts(self) -> frozenset[str]:
        """The names under which it answers: another one is a foreign page's trick."""
        return frozenset({*_LOOPBACK, self.host, urlsplit(self.url).hostname or ""})


def place(settings: Settings) -> Place:
    """The place that the settings name.

    Raises:
        SettingsError: passwords would go through a network as plain text, or half of a certificate is named.
    """
    host, port = checks.host_and_port(settings.ui_listen)
    if bool(settings.ui_certificate) != bool(settings.ui_key):
        raise SettingsError("FIREHOSE_UI_CERTIFICATE and FIREHOSE_UI_KEY: set both, or none")
    own_tls = bool(settings.ui_certificate)
    shown = f"[{host}]" if ":" in host else host
    url = (settings.ui_url or f"{'https' if own_tls else 'http'}://{shown}:{port}").rstrip("/")
    public = urlsplit(url)
    login = not is_loopback(host) or not is_loopback(public.hostname or "")
    if login and public.scheme != "https" and not (settings.ui_url and is_loopback(public.hostname or "")):
        raise SettingsError(
            f"FIREHOSE_UI_LISTEN={settings.ui_listen} is reached from other machines, and passwords would come as "
            "plain text: set FIREHOSE_UI_CERTIFICATE and FIREHOSE_UI_KEY, or FIREHOSE_UI_URL to the https:// "
            "address of a proxy in front of it"
        )
    return Place(host, port, url, login, public.scheme == "https")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
