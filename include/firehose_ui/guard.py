"""What every request passes and every answer carries: known hosts only, own pages only, strict headers.

Must not: know readers (app.py), ClickHouse.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firehose.errors import FirehoseError
from firehose_ui.place import Place, is_loopback
from ingester.contract.logs import get_logger

log = get_logger(__name__)

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_FOREIGN: Final = "Pages of other sites may not use this server."
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a form that is sent then has the origin "null", and a download is a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """``app`` for requests that come from its own pages, under a name that is known."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self._app, self._place = app, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := self._refusal(scope, Headers(scope=scope)):
            answer = PlainTextResponse(refusal + "\n", 403, {"Connection": "close"})
            await answer(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if self._place.secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except FirehoseError as error:
            # Within a download: the connection ends before the answer does, so no browser takes it for whole.
            log.warning("an answer was cut off", why=str(error))

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        hosts = headers.getlist("host")
        name = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
        if not name or not (name in self._place.hosts or is_loopback(name)):
            return "This page does not answer to that host. Set FIREHOSE_UI_URL to the address that readers open."
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign and not _opens_a_view(scope, headers):
            return _FOREIGN
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return _FOREIGN
        return ""


def _opens_a_view(scope: Scope, headers: Headers) -> bool:
    """Whether it is a link from elsewhere to a view: the document is the same for all, and asks by itself."""
    navigates = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return navigates and scope["method"] == "GET" and not scope["path"].startswith("/api/")
