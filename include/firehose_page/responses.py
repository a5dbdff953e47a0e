"""Answers: their headers, what a reader without a right gets, and what an error looks like.

Must not: know the routes, read anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import msgspec
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from firehose.errors import FirehoseError
from firehose_page.pages import Pages
from ingester.contract.logs import get_logger
from ingester.contract.settings import SettingsError, redacted

log = get_logger(__name__)

#: The project's own pages: no script or style but our files, no other host, in no other site's frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
#: Quality pages hold texts of events: whatever might be in one, no script runs, nothing comes from another host.
QUALITY_POLICY: Final = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


def refuser(pages: Pages, login: str) -> Callable[[Request, Any], Response]:
    """What answers an HTTPException: a page, JSON, or the way to the login and back."""

    def refuse(request: Request, error: HTTPException) -> Response:
        if request.url.path.endswith(".json"):
            return as_json({"detail": str(error.detail)}, error.status_code, dict(error.headers or {}))
        if error.status_code == 401 and "/static/" not in request.url.path:
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            outer = root(request).removesuffix("/firehose")
            return RedirectResponse(f"{outer}{login}?next={quote(back, safe='')}", headers=headers(POLICY))
        return page(pages.error(request, error.status_code, str(error.detail)), error.status_code)

    return refuse


def failure(pages: Pages) -> Callable[[Request, Any], Response]:
    """What answers any other error: what it says, without secrets."""

    def fail(request: Request, error: Exception) -> Response:
        if not isinstance(error, FirehoseError | SettingsError):
            log.error("page failed", path=request.url.path, error=f"{type(error).__name__}: {error}")
        said = redacted(f"{type(error).__name__}: {error}")
        if request.url.path.endswith(".json"):
            return as_json({"detail": said}, 500)
        return page(pages.error(request, 500, said), 500)

    return fail


def reading(pages: Pages, request: Request) -> Response:
    """The figures are not there yet: come again in a second."""
    return HTMLResponse(pages.reading(request), headers=headers(POLICY) | {"Refresh": "1"})


def page(text: str, status: int = 200) -> Response:
    """One of our pages."""
    return HTMLResponse(text, status, headers=headers(POLICY))


def as_json(content: object, status: int = 200, more: dict[str, str] | None = None) -> Response:
    """Figures for a program."""
    body = msgspec.json.encode(content)
    return Response(body, status, headers=headers(POLICY) | (more or {}), media_type="application/json")


def headers(policy: str) -> dict[str, str]:
    """Those of every answer."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def root(request: Request) -> str:
    """The path at which this application is mounted."""
    return str(request.scope.get("root_path", "")).rstrip("/")
