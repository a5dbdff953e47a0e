"""What every request passes and every answer carries: known hosts only, own pages only, strict headers.

Must not: know readers (app.py), ClickHouse.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firehose_ui.place import Place, is_loopback

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """``app`` for requests that come from its own pages, under a name that is known."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self._app, self._place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := self._refusal(Headers(scope=scope)):
            answer = PlainTextResponse(refusal + "\n", 403, {"Connection": "close"})
            return await answer(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if self._place.secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        return await self._app(scope, receive, with_headers)

    def _refusal(self, headers: Headers) -> str:
        hosts = headers.getlist("host")
        name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
        if not name or not (name in self._place.hosts or is_loopback(name)):
            return "This page does not answer to that host. Set FIREHOSE_UI_URL to the address that readers open."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            # A link from elsewhere may open the page; it may not ask, nor bring a reader's session.
            if headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document":
                return ""
            return "Pages of other sites may not use this server."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return "Pages of other sites may not use this server."
        return ""
