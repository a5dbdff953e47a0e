"""ClickHouse's HTTP interface as an ASGI application.

Lives here: routes. Must not: how a request is handled, SQL, calls into chDB.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from clickhouse_http.handling.handler import QueryResponse
from clickhouse_http.handling.state import Endpoint


def application(endpoint: Endpoint) -> Starlette:
    """The application; ``endpoint`` is already open."""

    async def ok(_request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def root(incoming: Request) -> Response:
        if incoming.method in ("GET", "HEAD") and b"query=" not in incoming.scope["query_string"]:
            return PlainTextResponse("Ok.\n")
        return QueryResponse(endpoint, incoming)

    async def unknown(incoming: Request, _error: Exception) -> Response:
        return PlainTextResponse(
            f"There is no handle {incoming.url.path}\n\nUse / or /ping for health checks.\n", 404
        )

    return Starlette(
        routes=[
            Route("/", root, methods=["GET", "POST"]),
            Route("/ping", ok, methods=["GET"]),
            Route("/replicas_status", ok, methods=["GET"]),
        ],
        exception_handlers={404: unknown},
    )
