"""A guard against DNS rebinding and foreign web pages: a server on loopback answers only known hosts and origins.

Lives here: the checks of Host and Origin, and CORS for the origins that are listed. Must not: users, ClickHouse.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clickhouse_http.config import EndpointConfig

_SHOWN: Final = 100
_HOST: Final = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::[0-9]+)?")


def guarded(app: ASGIApp, config: EndpointConfig, *urls: str) -> ASGIApp:
    """``app`` behind the checks. It answers to localhost, loopback addresses, the hosts of ``urls`` and the
    allowed hosts; pages of the allowed origins may call it.
    """
    hosts = {"localhost", *(urlsplit(url).hostname or "" for url in urls), *map(str.lower, config.allowed_hosts)}
    origins = [origin.lower() for origin in config.allowed_origins]
    with_cors = CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_credentials=True,
        expose_headers=[f"X-ClickHouse-{name}" for name in ("Format", "Query-Id", "Summary", "Exception-Code")],
    )
    return _Guard(with_cors if origins else app, frozenset(hosts), frozenset(origins), config.called)


class _Guard:
    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], origins: frozenset[str], called: Callable[[str], str]
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._called = called

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(headers.getlist("host"), headers.getlist("origin"))
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            # The body is not read, so the connection cannot be used again.
            answer = PlainTextResponse(refusal + "\n", 403, {"Connection": "close"})
            await answer(scope, receive, send)

    def _refusal(self, hosts: list[str], origins: list[str]) -> str | None:
        """The reason to refuse a request; None to answer it. One without a Host does not come from a browser."""
        if len(hosts) > 1 or (hosts and not self._known(hosts[0])):
            return (
                f"This server does not answer to the host {_shown(hosts)}. "
                f"Use localhost, or list the host in {self._called('allowed_hosts')}."
            )
        foreign = [origin for origin in origins if not self._may_call(origin.lower(), hosts)]
        if foreign:
            return (
                f"Pages of {_shown(foreign)} may not use this server. "
                f"List the origin in {self._called('allowed_origins')} to allow it."
            )
        return None

    def _known(self, host: str) -> bool:
        name = _name(host)
        return name in self._hosts or _is_loopback(name)

    def _may_call(self, origin: str, hosts: list[str]) -> bool:
        own: Iterable[str] = (f"http://{host.lower()}" for host in hosts)
        return origin in self._origins or origin in own


def _name(host: str) -> str:
    """The host of a Host header, without its port; empty where the header is malformed."""
    found = _HOST.fullmatch(host)
    return (found["name"] or found["address"]).lower() if found else ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _shown(values: list[str]) -> str:
    return ascii(", ".join(values)[:_SHOWN])
