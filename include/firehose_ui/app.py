"""The page's routes: its files, its session, and what its views ask.

Lives here: the routes and who may use them. Must not: SQL, words of the page, listening (serve.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from firehose.errors import FirehoseError
from firehose.settings import Settings
from firehose.warehouse.cookbook import recipes
from firehose_ui import bundle, named, post, search, sql, thread
from firehose_ui.answers import as_json, failure, told, whole
from firehose_ui.clickhouse import ClickHouse
from firehose_ui.coverage import Row, lacks
from firehose_ui.guard import Guard
from firehose_ui.kept import Kept
from firehose_ui.leaving import Connections, while_there
from firehose_ui.named import BadValue
from firehose_ui.place import Place
from firehose_ui.rates import Buckets
from firehose_ui.sessions import COOKIE, LIFE_S, Readers, Sessions

#: The views; each is the same document, which reads the rest from its address.
VIEWS: Final = ("overview", "search", "post", "account", "collections", "sql")
_BODY_BYTES: Final = 2 << 20
#: Questions of one view come together.
_BURST: Final = 100
_LOGINS_A_MINUTE: Final = 10
_SAME: Final = "public, max-age=31536000, immutable"
Handler = Callable[["Page", Request, str], Awaitable[Response]]


class Page:
    """What the routes share."""

    def __init__(self, settings: Settings, place: Place) -> None:
        self.place = place
        self.settings = settings
        self.clickhouse = ClickHouse(settings)
        self.queries = named.load()
        self.files = bundle.files()
        self.sessions = Sessions()
        self.readers = Readers(settings)
        self.kept = Kept()
        self.running = sql.Running()
        self.downloads = sql.Downloads()
        self.questions = Buckets(settings.ui_requests_a_minute, _BURST)
        self.logins = Buckets(_LOGINS_A_MINUTE, _LOGINS_A_MINUTE)

    def reader(self, request: Request) -> str | None:
        """Who asks; None: somebody who has to log in first."""
        return self.sessions.reader(request.cookies.get(COOKIE, "")) if self.place.login else "this machine"


def create_app(settings: Settings, place: Place) -> ASGIApp:
    """The application of a place."""
    page = Page(settings, place)
    asked = [
        Route("/api/query/{name}", _asked(page, _query)),
        Route("/api/coverage", _asked(page, _coverage)),
        Route("/api/search/{name}", _asked(page, _search), methods=["POST"]),
        Route("/api/post", _asked(page, _post)),
        Route("/api/cookbook", _asked(page, _cookbook)),
        Route("/api/sql", _asked(page, _sql), methods=["POST"]),
        Route("/api/sql/cancel", _asked(page, _cancel), methods=["POST"]),
        Route("/api/download", _asked(page, _download), methods=["POST"]),
        Route("/api/download/end", _asked(page, _download_end), methods=["POST"]),
    ]
    open_to_all = [
        Route("/", lambda _: RedirectResponse("/overview", 307)),
        *(Route(f"/{view}", partial(_view, page)) for view in VIEWS),
        Route("/static/{name}", partial(_static, page)),
        Route("/api/session", partial(_session, page)),
        Route("/api/login", partial(_login, page), methods=["POST"]),
        Route("/api/logout", partial(_logout, page), methods=["POST"]),
    ]
    return Guard(Starlette(routes=[*open_to_all, *asked]), place)


def _asked(page: Page, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """``handler`` for readers, as often as they may ask; its errors as JSON."""

    async def answer(request: Request) -> Response:
        reader = page.reader(request)
        if reader is None:
            return as_json({"error": {"kind": "login", "code": 0, "text": "log in first"}}, 401)
        if wait_s := page.questions.wait_s(reader):
            return _too_often(wait_s)
        try:
            return await handler(page, request, reader)
        except FirehoseError as error:
            return failure(error)

    return answer


async def _query(page: Page, request: Request, _: str) -> Response:
    query = page.queries.get(request.path_params["name"])
    if query is None:
        raise BadValue(f"the query {request.path_params['name']!r} does not exist")
    values = query.values(dict(request.query_params))
    ask = partial(whole, page.clickhouse, query.sql, values, "JSONCompact")
    question = (query.name, *sorted(values.items()))
    body = await page.kept.answer(question, query.kept_s, ask) if query.kept_s else await ask()
    if query.name == "post_thread":
        body = thread.as_tree(body)
    return Response(body, media_type="application/json")


async def _coverage(page: Page, request: Request, _: str) -> Response:
    query = page.queries["coverage"]
    given = dict(request.query_params)
    body = await whole(page.clickhouse, query.sql, query.values(given), "JSONCompact")
    rows = [Row(*row) for row in msgspec.json.decode(body)["data"]]
    found = lacks(rows, float(given["since"]), float(given["until"]))
    return as_json({"lacks": [each._asdict() for each in found]})


async def _search(page: Page, request: Request, _: str) -> Response:
    """In the body, so that no proxy's log has what a reader looks for."""
    name, given = request.path_params["name"], await _body(request)
    connections = Connections()
    checks = page.queries["activity"]
    found = run_in_threadpool(search.answer, page.settings, checks, name, given, connections)
    try:
        return as_json(await while_there(request, found))
    finally:
        connections.close()


async def _post(page: Page, request: Request, _: str) -> Response:
    query = page.queries["post_forms"]
    values = query.values(dict(request.query_params))
    found = post.forms(await whole(page.clickhouse, query.sql, values, "JSONCompact"))
    return as_json({"forms": found})


async def _cookbook(_: Page, __: Request, ___: str) -> Response:
    return as_json([{"title": each.title, "about": each.about, "sql": each.sql} for each in recipes()])


async def _sql(page: Page, request: Request, reader: str) -> Response:
    given = await _body(request)
    lines = page.running.answer(page.clickhouse, reader, given.get("id", ""), given.get("sql", ""))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"X-Accel-Buffering": "no"})


async def _cancel(page: Page, request: Request, reader: str) -> Response:
    given = await _body(request)
    return as_json({"cancelled": page.running.cancel(reader, given.get("id", ""))})


async def _download(page: Page, request: Request, reader: str) -> Response:
    """A form's answer, so that the browser writes it to a file while it comes.

    How it ended is told to :func:`_download_end`, if the page gave it an id: then an answer without content leaves
    the page as it is where the statement fails at once.
    """
    async with request.form(max_files=0, max_fields=4, max_part_size=_BODY_BYTES) as form:
        wanted, statement, query = (str(form.get(name, "")) for name in ("format", "sql", "id"))
    tell = partial(page.downloads.tell, reader, query)
    if wanted not in sql.FORMATS:
        raise BadValue(f"format must be one of {', '.join(sql.FORMATS)}")
    output_format, media_type = sql.FORMATS[wanted]
    try:
        head, body = await sql.download(page.clickhouse, statement, output_format)
    except FirehoseError as error:
        if not query:
            raise
        tell(told(error))
        return Response(status_code=204)
    if head.headers.get("x-clickhouse-format", output_format) != output_format:
        wanted, media_type = "txt", "text/plain; charset=utf-8"  # the statement has a FORMAT of its own
    headers = {"Content-Disposition": f'attachment; filename="firehose-{secrets.token_hex(3)}.{wanted}"'}
    return StreamingResponse(sql.told_at_its_end(body, tell), media_type=media_type, headers=headers)


async def _download_end(page: Page, request: Request, reader: str) -> Response:
    given = await _body(request)
    return as_json(await while_there(request, page.downloads.end(reader, given.get("id", ""))))


async def _login(page: Page, request: Request) -> Response:
    address = request.client.host if request.client else ""
    if wait_s := page.logins.wait_s(address):
        return _too_often(wait_s)
    try:
        given = await _body(request)
    except FirehoseError as error:
        return failure(error)
    name = given.get("name", "")
    if not await run_in_threadpool(page.readers.knows, name, given.get("password", "")):
        return as_json({"error": {"kind": "login", "code": 0, "text": "name or password is wrong"}}, 401)
    answer = as_json({"login": True, "reader": name})
    token = page.sessions.begin(name)
    answer.set_cookie(COOKIE, token, LIFE_S, secure=page.place.secure, httponly=True, samesite="strict")
    return answer


async def _logout(page: Page, request: Request) -> Response:
    page.sessions.end(request.cookies.get(COOKIE, ""))
    answer = as_json({"login": page.place.login, "reader": None})
    answer.delete_cookie(COOKIE, secure=page.place.secure, httponly=True, samesite="strict")
    return answer


async def _body(request: Request) -> dict[str, str]:
    """A JSON object of texts.

    Raises:
        BadValue: it is not one, or too large.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise BadValue("the question is too large")
    try:
        return msgspec.json.decode(body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BadValue("the question must be a JSON object of texts") from None


async def _view(page: Page, _: Request) -> Response:
    """The document, which is asked for each time: it names the scripts of now."""
    return FileResponse(page.files["index.html"], headers={"Cache-Control": "no-cache"})


async def _static(page: Page, request: Request) -> Response:
    """Names of scripts and styles have their hash in them."""
    path = page.files.get(request.path_params["name"])
    if path is None:
        return as_json({"error": {"kind": "value", "code": 0, "text": "this file does not exist"}}, 404)
    return FileResponse(path, headers={"Cache-Control": _SAME})


async def _session(page: Page, request: Request) -> Response:
    return as_json({"login": page.place.login, "reader": page.reader(request)})


def _too_often(wait_s: int) -> Response:
    said: dict[str, Any] = {"kind": "often", "code": 0, "text": f"too many questions: again in {wait_s} s"}
    return as_json({"error": said}, 429, {"Retry-After": str(wait_s)})
