"""ClickHouse's HTTP interface as an ASGI application.

Lives here: routes. Must not: how a request is handled, SQL, calls into chDB.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from clickhouse_http.handling.handler import QueryResponse
from clickhouse_http.handling.state import Endpoint
from clickhouse_http.rights.users import MONITORING


def application(endpoint: Endpoint) -> Starlette:
    """The application; ``endpoint`` is already open."""

    async def ok(_request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def root(incoming: Request) -> Response:
        if incoming.method in ("GET", "HEAD") and b"query=" not in incoming.scope["query_string"]:
            return PlainTextResponse("Ok.\n")
        return QueryResponse(endpoint, incoming)

    async def numbers(incoming: Request) -> Response:
        """For the user ``monitoring`` alone: they show what the loader and other analysts do."""
        if not endpoint.users.monitored:
            return await unknown(incoming, Exception())
        if not endpoint.users.may_monitor(incoming.headers):
            await endpoint.passwords.slow_down(incoming.client.host if incoming.client else "unknown")
            text = f"{incoming.url.path} is for the user {MONITORING}: log in with its password.\n"
            return PlainTextResponse(text, 401, {"WWW-Authenticate": 'Basic realm="metrics"'})
        return Response(endpoint.counts.page(), media_type=CONTENT_TYPE_LATEST)

    async def unknown(incoming: Request, _error: Exception) -> Response:
        return PlainTextResponse(
            f"There is no handle {incoming.url.path}\n\nUse / or /ping for health checks.\n", 404
        )

    return Starlette(
        routes=[
            Route("/", root, methods=["GET", "POST"]),
            Route("/ping", ok, methods=["GET"]),
            Route("/replicas_status", ok, methods=["GET"]),
            Route("/metrics", numbers, methods=["GET"]),
        ],
        exception_handlers={404: unknown},
    )
