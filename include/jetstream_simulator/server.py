"""The websocket server: ``/subscribe`` as Jetstream v1 answers it, the calls of v2, and ``/health``.

Lives here: handshakes, connections, start and stop. Must not: which events there are, and their order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import SplitResult, urlsplit

import zstandard
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from jetstream_simulator import options
from jetstream_simulator.errors import SimulatorError
from jetstream_simulator.event_log import EventLog
from jetstream_simulator.feed import Feed
from jetstream_simulator.limits import Bucket
from jetstream_simulator.session import CLOSE_S, Sender, Session, close
from jetstream_simulator.v2 import xrpc
from jetstream_simulator.v2.host import STREAM_PATH, SUBPROTOCOL, Host, HostOptions, Stream
from jetstream_simulator.v2.options import Refused
from jetstream_simulator.v2.post import CONTINUE, PostReader

_MAX_MESSAGE: Final = 10_000_000  # of a client, as on v1
_ANSWER_S: Final = 60.0  # what a client may take for an answer over HTTP: a segment has megabytes


class _Connection(ServerConnection):
    wanted: options.Request | Stream  # set by the handshake
    request_body: PostReader | None = None

    def data_received(self, data: bytes) -> None:
        reader = self.request_body
        if reader is None:
            reader = self.request_body = PostReader()
        if reader.done:
            super().data_received(data)
        elif complete := reader.feed(data):
            super().data_received(complete)
        elif reader.expects:
            self.transport.write(CONTINUE)


class Simulator:
    """Serves an event log. ``now_us`` is the simulation's time: a cursor after it means the live tail.

    For ``warm_up_s`` seconds from ``listen`` on it answers 503, as v2 does while it starts.
    """

    def __init__(
        self,
        event_log: EventLog,
        feed: Feed,
        now_us: Callable[[], int],
        *,
        compressor: zstandard.ZstdCompressor | None = None,
        client_rate: float = 0.0,
        v2: HostOptions | None = None,
        warm_up_s: float = 0.0,
    ) -> None:
        self._event_log, self._feed, self._now_us = event_log, feed, now_us
        self._v2 = Host(event_log, v2 or HostOptions())
        self._warm_up_s, self._ready_at = warm_up_s, 0.0
        self._compressor = compressor
        self._client_rate = client_rate
        self._buckets: dict[str, Bucket] = {}

    async def listen(self, host: str, port: int) -> Server:
        """Start serving.

        Raises:
            SimulatorError: the address cannot be used.
        """
        self._ready_at = asyncio.get_running_loop().time() + self._warm_up_s
        try:
            return await serve(
                self._handle,
                host,
                port,
                process_request=self._handshake,
                create_connection=_Connection,
                select_subprotocol=_subprotocol,
                compression=None,
                open_timeout=_ANSWER_S,
                ping_interval=30,
                ping_timeout=None,  # v1 drops for slowness only
                close_timeout=CLOSE_S,
                max_size=_MAX_MESSAGE,
                write_limit=256 * 1024,
            )
        except OSError as error:
            raise SimulatorError(
                f"cannot listen on {host}:{port} ({error.strerror or error}); "
                "choose another --port, or 0 for a free one"
            ) from error

    async def close(self, server: Server) -> None:
        """Stop serving: clients that read get what was written and a close frame, others are cut off."""
        server.close(close_connections=False)
        await asyncio.gather(*(close(connection, CloseCode.GOING_AWAY) for connection in server.connections))
        await server.wait_closed()

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | Awaitable[Response] | None:
        url = urlsplit(request.path)
        if url.path == "/health":
            return self._health(connection)
        if asyncio.get_running_loop().time() < self._ready_at:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "service not ready: starting up\n")
        if url.path.startswith(xrpc.PREFIX):
            return self._call(cast(_Connection, connection), request, url)
        if url.path != "/subscribe":
            return connection.respond(HTTPStatus.NOT_FOUND, "subscribe at /subscribe\n")
        return self._subscribe(cast(_Connection, connection), request, url.query)

    def _call(
        self, connection: _Connection, request: Request, url: SplitResult
    ) -> Response | Awaitable[Response] | None:
        if url.path == STREAM_PATH:
            try:
                connection.wanted = self._v2.stream(url.query, self._now_us())
            except Refused as refusal:
                return xrpc.refused(refusal)
            return None
        connection.close_timeout = _ANSWER_S
        body = connection.request_body.body if connection.request_body is not None else b""
        return self._v2.call(url.path, url.query, request, body)

    def _subscribe(self, connection: _Connection, request: Request, query: str) -> Response | None:
        try:
            wanted = options.parse_request(query, request.headers.get("Socket-Encoding", ""))
        except options.InvalidOptions as error:
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        if wanted.compress and self._compressor is None:
            return connection.respond(
                HTTPStatus.BAD_REQUEST, "no zstd here: the simulator was started without --dictionary\n"
            )
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Extensions"))
        if wanted.compress and self._v2.v1_cursors and "permessage-deflate" in offered:
            return connection.respond(HTTPStatus.BAD_REQUEST, "zstd and permessage-deflate exclude each other\n")
        connection.wanted = wanted
        return None

    def _health(self, connection: ServerConnection) -> Response:
        event_log = self._event_log
        state = {
            "status": "ok",
            "done": self._feed.done,
            "events": event_log.end,
            "oldest_position": event_log.start,
            "oldest_time_us": event_log.oldest_us,
            "newest_time_us": event_log.newest_us,
            "next_seq": self._v2.numbers.next,
            "clients": [{"sent": s.sent, "behind": s.behind, "live": s.live} for s in self._feed.subscribers],
        }
        response = connection.respond(HTTPStatus.OK, json.dumps(state) + "\n")
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    async def _handle(self, connection: ServerConnection) -> None:
        address = str(connection.remote_address[0])
        bucket = self._buckets.get(address)
        if bucket is None:
            bucket = self._buckets[address] = Bucket(self._client_rate, asyncio.get_running_loop().time())
        wanted = cast(_Connection, connection).wanted
        if isinstance(wanted, Stream):
            sender = Sender(connection, self._feed, bucket)
            await self._v2.session(connection, wanted, sender).run()
            return
        await self._session(connection, wanted, bucket).run()

    def _session(self, connection: ServerConnection, wanted: options.Request, bucket: Bucket) -> Session:
        position = self._v2.v1_position(wanted.cursor)
        if position is not None or (wanted.cursor or 0) > max(self._now_us(), self._event_log.newest_us):
            wanted = wanted._replace(cursor=None)
        return Session(
            connection,
            wanted,
            self._event_log,
            self._feed,
            bucket,
            self._compressor if wanted.compress else None,
            position=position,
            floor=self._v2.numbers.floor,
            v2_host=self._v2.v1_cursors,
        )


def _subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None
