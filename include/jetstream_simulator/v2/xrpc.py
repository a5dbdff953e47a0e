"""The XRPC calls over HTTP: the dictionary, and the archive.

Lives here: parameters, JSON and status of each call. Must not: what an archive holds, websockets.
"""

from __future__ import annotations

import email.utils
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import zstandard
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from jetstream_simulator.v2 import segment
from jetstream_simulator.v2.archive import Archive, Plan, Planned, Sealed
from jetstream_simulator.v2.gate import Gate
from jetstream_simulator.v2.options import Filter, Refused, invalid, make_filter, number

#: What all paths begin with; the name of the call follows.
PREFIX: Final = "/xrpc/network.bsky.jetstream."
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 1000


class Dictionary:
    """The zstd dictionary of ``subscribeEvents``, and what compresses with it."""

    def __init__(self, data: bytes, compressor: zstandard.ZstdCompressor) -> None:
        self.data, self.compressor = data, compressor
        self.id = zstandard.ZstdCompressionDict(data).dict_id()


class _PlanInput(msgspec.Struct):
    kinds: list[str] = []
    dids: list[str] = []
    collections: list[str] = []
    afterSeq: int | None = None
    beforeSeq: int | None = None


class Calls:
    """Answers calls by their name."""

    def __init__(self, archive: Archive, dictionary: Dictionary | None, gate: Gate) -> None:
        self._archive, self._dictionary, self._gate = archive, dictionary, gate

    async def answer(self, call: str, query: str, request: Request, body: bytes) -> Response:
        """The response to ``call``, an error response included."""
        parameters = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        queries = {
            "getZstdDictionary": self._get_dictionary,
            "listSegments": self._list_segments,
            "getSegment": self._get_segment,
            "getBlock": self._get_block,
        }
        try:
            if call not in queries and call != "planSnapshot":
                raise Refused("MethodNotImplemented", f"no such call: {call}", HTTPStatus.NOT_IMPLEMENTED)
            _require(request, "POST" if call == "planSnapshot" else "GET")
            if elsewhere := self._gate.enter(call, parameters, request):
                return _response(HTTPStatus.TEMPORARY_REDIRECT, "text/plain", b"", ("Location", elsewhere))
            response = await (self._plan(body) if call == "planSnapshot" else queries[call](parameters))
        except Refused as refusal:
            return refused(refusal)
        self._gate.passed(call, len(response.body))
        return response

    async def _get_dictionary(self, parameters: dict[str, str]) -> Response:
        identifier = number(parameters["id"], "id") if "id" in parameters else None
        current = self._dictionary
        if current is None or identifier not in (None, current.id):
            known = "this server has none" if current is None else f"current dictionary id is {current.id}"
            raise Refused("DictionaryNotFound", f"no such dictionary; {known}", HTTPStatus.NOT_FOUND)
        return _binary(current.data, f"zstd-dict-{current.id}", ("X-Zstd-Dictionary-Id", str(current.id)))

    async def _list_segments(self, parameters: dict[str, str]) -> Response:
        limit = number(parameters.get("limit", str(_DEFAULT_LIMIT)), "limit")
        if not limit:
            raise invalid("limit must be positive")
        after = number(parameters.get("cursor") or "0", "cursor")
        found = [sealed for sealed in await self._archive.segments() if sealed.number >= after]
        page = found[: min(limit, _MAX_LIMIT)]
        listing: dict[str, Any] = {"segments": [_listed(sealed) for sealed in page]}
        if len(page) < len(found):
            listing["cursor"] = str(found[len(page)].number)
        return answer(HTTPStatus.OK, listing)

    async def _get_segment(self, parameters: dict[str, str]) -> Response:
        sealed = await self._sealed(_given(parameters, "name"))
        return _binary(sealed.file.data, sealed.file.checksum)

    async def _get_block(self, parameters: dict[str, str]) -> Response:
        name, index = _given(parameters, "segment"), number(_given(parameters, "blockIndex"), "blockIndex")
        sealed = await self._sealed(name)
        if index >= len(sealed.file.frames):
            raise Refused("BlockNotFound", f"{name} has {len(sealed.file.frames)} blocks", HTTPStatus.NOT_FOUND)
        return _binary(sealed.file.frames[index], f"{sealed.file.checksum}:{index}")

    async def _sealed(self, name: str) -> Sealed:
        sealed = await self._archive.segment(name)
        if sealed is None:
            raise Refused("SegmentNotFound", f"no sealed segment {name}", HTTPStatus.NOT_FOUND)
        return sealed

    async def _plan(self, body: bytes) -> Response:
        try:
            wanted = msgspec.json.decode(body or b"{}", type=_PlanInput)
        except msgspec.DecodeError as error:
            raise invalid(str(error)) from None
        if min(wanted.afterSeq or 0, wanted.beforeSeq or 0) < 0:
            raise invalid("afterSeq and beforeSeq must not be negative")
        match: Filter = make_filter(wanted.kinds, wanted.dids, wanted.collections)
        plan = await self._archive.plan(match, wanted.afterSeq, wanted.beforeSeq)
        return answer(HTTPStatus.OK, _planned(plan))


def refused(refusal: Refused) -> Response:
    """An XRPC error as a response."""
    response = answer(refusal.status, {"error": refusal.name, "message": str(refusal)})
    if refusal.retry_after_s:
        response.headers["Retry-After"] = str(refusal.retry_after_s)
    return response


def answer(status: HTTPStatus, value: dict[str, Any]) -> Response:
    """A JSON response."""
    return _response(status, "application/json", msgspec.json.encode(value))


def _binary(data: bytes, etag: str, *headers: tuple[str, str]) -> Response:
    return _response(HTTPStatus.OK, "application/octet-stream", data, ("ETag", f'"{etag}"'), *headers)


def _response(status: HTTPStatus, content_type: str, body: bytes, *headers: tuple[str, str]) -> Response:
    common = [
        ("Date", email.utils.formatdate(usegmt=True)),
        ("Connection", "close"),
        ("Content-Length", str(len(body))),
        ("Content-Type", content_type),
    ]
    return Response(status.value, status.phrase, Headers([*common, *headers]), body)


def _require(request: Request, method: str) -> None:
    if request.method != method:
        raise Refused("InvalidRequest", f"ask with {method}", HTTPStatus.METHOD_NOT_ALLOWED)


def _given(parameters: dict[str, str], name: str) -> str:
    if not parameters.get(name):
        raise invalid(f"the parameter {name} is missing")
    return parameters[name]


def _listed(sealed: Sealed) -> dict[str, Any]:
    file = sealed.file
    return {
        "name": segment.name(sealed.number),
        "index": sealed.number,
        "sizeBytes": len(file.data),
        "checksum": file.checksum,
        "eventCount": file.events,
        "minSeq": file.min_seq,
        "maxSeq": file.max_seq,
        "minWitnessedAt": file.min_witnessed_us,
        "maxWitnessedAt": file.max_witnessed_us,
    }


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "plannedThroughSeq": plan.planned_through,
        "sealedTipSeq": plan.sealed_tip,
        "segments": [_planned_segment(planned) for planned in plan.segments],
        "stats": {
            "segmentsExamined": plan.examined,
            "segmentsMatched": len(plan.segments),
            "blocksMatched": sum(last - first + 1 for planned in plan.segments for first, last in planned.ranges),
            "entries": sum(planned.entries for planned in plan.segments),
        },
    }


def _planned_segment(planned: Planned) -> dict[str, Any]:
    sealed = planned.sealed
    entry: dict[str, Any] = {
        "name": segment.name(sealed.number),
        "index": sealed.number,
        "checksum": sealed.file.checksum,
        "minSeq": sealed.file.min_seq,
        "maxSeq": sealed.file.max_seq,
        "mode": "segment" if planned.whole else "blocks",
    }
    if not planned.whole:
        entry["blocks"] = [{"first": first, "last": last} for first, last in planned.ranges]
    return entry
