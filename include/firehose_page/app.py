"""The routes: each needs whoever :func:`create_app` is told to ask, reads, and changes nothing.

Lives here: routes. Must not: know who asks or how (plugins/firehose_web.py), make figures. The rest of the
pipeline is imported by the first view and not before: it takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from firehose.errors import FirehoseError
from firehose_page import responses
from firehose_page.pages import Pages
from firehose_page.watch import MONTHS_BACK, Look, Watch
from ingester.contract.settings import SettingsError

if TYPE_CHECKING:
    from firehose.settings import Settings

_STATIC: Final = {
    "icon-dark.svg": "image/svg+xml",
    "icon.svg": "image/svg+xml",
    "page.css": "text/css",
    "page.js": "text/javascript",
}
_LATEST: Final = 12


def create_app(
    load: Callable[[], Settings],
    authorize: Callable[..., Any],
    login: str,
    find_run: Callable[[datetime], str | None],
) -> FastAPI:
    """The page as an application to be mounted.

    ``authorize`` is a dependency of every route, which raises an HTTPException 401 or 403. ``login`` is where a
    reader without a session is sent, below the outer application. ``find_run`` gives the id of the run whose
    interval begins then; None: there is none.
    """
    app = FastAPI(
        title="Firehose", dependencies=[Depends(authorize)], docs_url=None, redoc_url=None, openapi_url=None
    )
    watch, pages = Watch(load), Pages()
    app.add_exception_handler(AnyHTTPException, responses.refuser(pages, login))
    for error in (FirehoseError, SettingsError, Exception):
        app.add_exception_handler(error, responses.failure(pages))
    _figures(app, watch, pages)
    _files(app, watch, pages)
    _runs(app, find_run)
    return app


def _figures(app: FastAPI, watch: Watch, pages: Pages) -> None:
    @app.get("/")
    def overview(request: Request) -> Response:
        if (look := watch.look()) is None:
            return responses.reading(pages, request)
        return responses.page(pages.overview(request, look, watch.begins, _LATEST))

    @app.get("/batches")
    def batches(request: Request, day: str = "") -> Response:
        if (look := watch.look()) is None:
            return responses.reading(pages, request)
        chosen = _date(day) if day else None
        found = watch.batches_of(chosen) if chosen else look.day
        return responses.page(pages.batches(request, look, found, chosen))

    @app.get("/coverage")
    def coverage(request: Request, month: str = "") -> Response:
        if (look := watch.look()) is None:
            return responses.reading(pages, request)
        today = look.snapshot.at.date()
        first = _date(f"{month}-01") if month else today.replace(day=1)
        if first < today - MONTHS_BACK:
            raise HTTPException(404, "Months of more than a year ago are not shown here; see: firehose coverage")
        return responses.page(pages.coverage(request, look, first, _gaps(watch, look, first), watch.begins))

    @app.get("/objectives")
    def objectives(request: Request) -> Response:
        if (look := watch.look()) is None or (found := watch.objectives()) is None:
            return responses.reading(pages, request)
        return responses.page(pages.objectives(request, look, found))

    @app.get("/storage")
    def storage(request: Request) -> Response:
        if (look := watch.look()) is None:
            return responses.reading(pages, request)
        return responses.page(pages.storage(request, look))

    @app.get("/snapshot.json")
    def snapshot() -> Response:
        if (look := watch.look()) is None:
            raise HTTPException(503, "the figures are being read for the first time", {"Retry-After": "1"})
        return responses.as_json({"snapshot": look.snapshot, "day": look.day})


def _files(app: FastAPI, watch: Watch, pages: Pages) -> None:
    @app.get("/batches/{batch_id}.json")
    def batch_as_json(batch_id: str) -> Response:
        if watch.look() is None:
            raise HTTPException(503, "the figures are being read for the first time", {"Retry-After": "1"})
        return responses.as_json(_batch(watch, batch_id))

    @app.get("/batches/{batch_id}")
    def batch(request: Request, batch_id: str) -> Response:
        if watch.look() is None:
            return responses.reading(pages, request)
        return responses.page(pages.batch(request, _batch(watch, batch_id)))

    @app.get("/quality")
    @app.get("/quality/{key:path}")
    def quality(request: Request, key: str = "") -> Response:
        from firehose_page import documents

        if key in ("", "docs/index.html"):  # the second one only leads to the first, by what a sandbox refuses
            return RedirectResponse(f"{responses.root(request)}/quality/index.html")
        if watch.look() is None:
            return responses.reading(pages, request)
        if (found := documents.quality_page(watch.reader.settings.lake_path, key)) is None:
            raise HTTPException(
                404, "There is no such quality page; FIREHOSE_KEEP_QUALITY_DAYS says how long they stay."
            )
        content, media = found
        return Response(content, media_type=media, headers=responses.headers(responses.QUALITY_POLICY))

    @app.get("/runbook")
    def runbook(request: Request) -> Response:
        return responses.page(pages.runbook(request))

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if (media := _STATIC.get(name)) is None:
            raise HTTPException(404, "There is no such file.")
        content = resources.files("firehose_page").joinpath("static", name).read_bytes()
        return Response(
            content,
            media_type=media,
            headers=responses.headers(responses.POLICY) | {"Cache-Control": "private, max-age=300"},
        )


def _runs(app: FastAPI, find_run: Callable[[datetime], str | None]) -> None:
    @app.get("/runs/{batch_id}")
    def run(request: Request, batch_id: str) -> Response:
        """On to Airflow's page of the run: only Airflow knows its id."""
        try:
            start = datetime.strptime(batch_id, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise HTTPException(404, "There is no such batch.") from None
        if (run_id := find_run(start)) is None:
            raise HTTPException(
                404,
                "Airflow has no run of this batch: none was made, or it is older than FIREHOSE_KEEP_LOGS_DAYS.",
            )
        airflow = responses.root(request).removesuffix("/firehose")
        return RedirectResponse(
            f"{airflow}/dags/firehose_batch/runs/{quote(run_id, safe='')}",
            headers=responses.headers(responses.POLICY),
        )


def _batch(watch: Watch, batch_id: str) -> Any:
    from firehose_page import documents

    if (found := documents.batch(watch.reader.settings, batch_id)) is None:
        raise HTTPException(404, "There is no such batch: it was neither drained nor published.")
    return found


def _gaps(watch: Watch, look: Look, first: date) -> Any:
    from firehose.observe.coverage import LONGEST

    if look.snapshot.coverage and first >= (look.snapshot.at - LONGEST).date():
        return look.snapshot.coverage.all
    return watch.gaps_since(first)


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(404, "There is no such day.") from None
    if not 2020 <= found.year <= datetime.now(UTC).year + 1:
        raise HTTPException(404, "There is no such day.")
    return found
