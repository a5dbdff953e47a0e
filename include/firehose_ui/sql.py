"""The SQL view's server side: a statement of the reader, run as the analyst; its progress, cancel, and downloads.

Must not: change or judge the statement. What an analyst may do is the endpoint's to decide.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Final

import msgspec

from firehose.errors import FirehoseError, ServiceUnavailable
from firehose_ui.answers import told
from firehose_ui.clickhouse import ClickHouse, Head, Part, Progress, Refused, refusal

#: Ends of downloads that are kept for pages that ask for them.
_MOST_ENDS: Final = 256
#: How much of a download's end is searched for an error.
_TAIL_BYTES: Final = 1 << 16
#: What the page shows of an answer; a download has all of it.
MOST_ROWS: Final = 1_000
MOST_BYTES: Final = 4 << 20
ROWS: Final = "JSONCompactEachRowWithNamesAndTypes"
#: Of a download: the format of ClickHouse, the ending of the file, and its media type.
FORMATS: Final = {
    "csv": ("CSVWithNames", "text/csv; charset=utf-8"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
    "json": ("JSONEachRow", "application/x-ndjson"),
}
#: An error may not stand in the answer as if it was the last of its rows.
_DOWNLOAD_SETTINGS: Final = {
    "output_format_json_validate_utf8": "1",
    "http_write_exception_in_output_format": "0",
    "cancel_http_readonly_queries_on_client_close": "1",
}
_SETTINGS: Final = {
    "send_progress_in_http_headers": "1",
    "cancel_http_readonly_queries_on_client_close": "1",
    "output_format_json_quote_64bit_integers": "1",
    "output_format_json_validate_utf8": "1",
}


class Downloads:
    """How downloads ended, by reader and the id that the page gave them: a browser does not tell its page."""

    def __init__(self) -> None:
        self._ends: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    async def end(self, reader: str, query: str) -> dict[str, Any]:
        """How a download ended, as soon as it did."""
        try:
            return await asyncio.shield(self._end(reader, query))
        finally:
            self._ends.pop((reader, query), None)

    def tell(self, reader: str, query: str, how: dict[str, Any]) -> None:
        """Its page has asked, or asks soon."""
        if query and not (end := self._end(reader, query)).done():
            end.set_result(how)

    def _end(self, reader: str, query: str) -> asyncio.Future[dict[str, Any]]:
        while len(self._ends) >= _MOST_ENDS and (reader, query) not in self._ends:
            self._ends.pop(next(iter(self._ends))).cancel()
        return self._ends.setdefault((reader, query), asyncio.get_running_loop().create_future())


class Running:
    """The statements that run, by reader and the id that the page gave them."""

    def __init__(self) -> None:
        self._stops: dict[tuple[str, str], asyncio.Event] = {}

    def cancel(self, reader: str, query: str) -> bool:
        """Stop a statement of this reader. Returns whether it ran."""
        stop = self._stops.get((reader, query))
        if stop is not None:
            stop.set()
        return stop is not None

    async def answer(self, clickhouse: ClickHouse, reader: str, query: str, sql: str) -> AsyncGenerator[bytes]:
        """Lines of JSON: progress, columns, rows, and how it ended."""
        stop = self._stops[reader, query] = asyncio.Event()
        try:
            async with aclosing(_lines(clickhouse, sql, stop)) as lines:
                async for line in lines:
                    yield msgspec.json.encode(line) + b"\n"
        except FirehoseError as error:
            yield msgspec.json.encode(told(error)) + b"\n"
        finally:
            self._stops.pop((reader, query), None)


async def _lines(clickhouse: ClickHouse, sql: str, stop: asyncio.Event) -> AsyncGenerator[dict[str, Any]]:
    """The parts of an answer until there is enough of it, or the reader has it stopped."""
    buffer, sent, read = b"", 0, 0
    tabular = True
    async with aclosing(_until(clickhouse.ask(sql, ROWS, None, _SETTINGS), stop)) as parts:
        async for part in parts:
            if isinstance(part, Progress):
                yield {"progress": part._asdict()}
            elif isinstance(part, Head):
                tabular = part.headers.get("x-clickhouse-format", ROWS) == ROWS
            else:
                read += len(part)
                buffer += part
                if not tabular:
                    yield {"text": buffer.decode(errors="replace")}
                    buffer = b""
                else:
                    *lines, buffer = buffer.split(b"\n")
                    rows = _rows(lines[: MOST_ROWS + 2 - sent])
                    if rows:
                        yield {"rows": rows}
                    if len(rows) < min(len(lines), MOST_ROWS + 2 - sent):
                        raise await _late([*lines[len(rows) :], buffer], parts)
                    sent += len(rows)
                if sent >= MOST_ROWS + 2 or read > MOST_BYTES:
                    yield {"end": "cut"}
                    return
    yield {"end": "stopped" if stop.is_set() else "whole"}


def _rows(lines: list[bytes]) -> list[list[Any]]:
    """The rows of these lines, until one that is none: it begins an error that ends an answer in the middle."""
    rows: list[list[Any]] = []
    with contextlib.suppress(msgspec.MsgspecError):
        for line in lines:
            rows.append(msgspec.json.decode(line, type=list[Any]))
    return rows


async def _late(begun: list[bytes], parts: AsyncGenerator[Part]) -> Refused:
    """The error of which these lines are the beginning. The connection ends with it."""
    said = b"\n".join(begun)
    with contextlib.suppress(ServiceUnavailable):
        async for part in parts:
            said += part if isinstance(part, bytes) else b""
    return refusal(said)


async def _until(parts: AsyncGenerator[Part], stop: asyncio.Event) -> AsyncGenerator[Part]:
    """``parts`` until ``stop`` is set; the iteration that is left closes the connection to ClickHouse."""
    stopped = asyncio.ensure_future(stop.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(parts))
            await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                await asyncio.wait((coming,))
                return
            try:
                yield coming.result()
            except StopAsyncIteration:
                return
    finally:
        stopped.cancel()
        await parts.aclose()


async def download(clickhouse: ClickHouse, sql: str, output_format: str) -> tuple[Head, AsyncGenerator[bytes]]:
    """The head of an answer, and its bytes as they come.

    Raises:
        Refused: ClickHouse's error, as long as nothing was sent.
        ServiceUnavailable: it does not answer.
    """
    parts = clickhouse.ask(sql, output_format, None, _DOWNLOAD_SETTINGS)
    async for part in parts:
        if isinstance(part, Head):
            return part, _bytes(parts)
    raise FirehoseError("ClickHouse's answer has no head")


async def _bytes(parts: AsyncGenerator[Part]) -> AsyncGenerator[bytes]:
    tail = b""
    async with aclosing(parts) as open_parts:
        try:
            async for part in open_parts:
                if isinstance(part, bytes):
                    tail = (tail + part)[-_TAIL_BYTES:]
                    yield part
        except ServiceUnavailable as error:
            raise (refusal(tail[at:]) if (at := tail.rfind(b"Code: ")) >= 0 else error) from None


async def told_at_its_end(
    body: AsyncGenerator[bytes], tell: Callable[[dict[str, Any]], None]
) -> AsyncGenerator[bytes]:
    """``body``, and ``tell`` how it ended."""
    how: dict[str, Any] = {"end": "stopped"}
    try:
        async with aclosing(body) as parts:
            async for part in parts:
                yield part
        how = {"end": "whole"}
    except FirehoseError as error:
        how = told(error)
        raise
    finally:
        tell(how)
