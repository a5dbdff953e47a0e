"""The websocket server: ``/subscribe`` as Jetstream v1 answers it, and ``/health``.

Lives here: handshakes, connections, start and stop. Must not: which events there are, and their order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import zstandard
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from firehose.errors import FirehoseError
from firehose.simulator import options
from firehose.simulator.feed import Feed
from firehose.simulator.limits import Bucket
from firehose.simulator.session import CLOSE_S, Session, close
from firehose.simulator.tape import Tape

_MAX_MESSAGE = 10_000_000  # of a client, as on v1


class _Connection(ServerConnection):
    wanted: options.Request  # set by the handshake


class Simulator:
    """Serves a tape. ``now_us`` is the simulation's time: a cursor after it means the live tail."""

    def __init__(
        self,
        tape: Tape,
        feed: Feed,
        now_us: Callable[[], int],
        *,
        compressor: zstandard.ZstdCompressor | None = None,
        client_rate: float = 0.0,
    ) -> None:
        self._tape, self._feed, self._now_us = tape, feed, now_us
        self._compressor = compressor
        self._client_rate = client_rate
        self._buckets: dict[str, Bucket] = {}

    async def listen(self, host: str, port: int) -> Server:
        """Start serving.

        Raises:
            FirehoseError: the address cannot be used.
        """
        try:
            return await serve(
                self._handle,
                host,
                port,
                process_request=self._handshake,
                create_connection=_Connection,
                compression=None,
                ping_interval=30,
                ping_timeout=None,  # v1 drops for slowness only
                close_timeout=CLOSE_S,
                max_size=_MAX_MESSAGE,
                write_limit=256 * 1024,
            )
        except OSError as error:
            raise FirehoseError(
                f"cannot listen on {host}:{port} ({error.strerror or error}); "
                "choose another --port, or 0 for a free one"
            ) from error

    async def close(self, server: Server) -> None:
        """Stop serving: clients that read get what was written and a close frame, others are cut off."""
        server.close(close_connections=False)
        await asyncio.gather(*(close(connection, CloseCode.GOING_AWAY) for connection in server.connections))
        await server.wait_closed()

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        if url.path == "/health":
            return self._health(connection)
        if url.path != "/subscribe":
            return connection.respond(HTTPStatus.NOT_FOUND, "subscribe at /subscribe\n")
        try:
            wanted = options.parse_request(url.query, request.headers.get("Socket-Encoding", ""))
        except options.InvalidOptions as error:
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        if wanted.compress and self._compressor is None:
            return connection.respond(
                HTTPStatus.BAD_REQUEST, "no zstd here: the simulator was started without --dictionary\n"
            )
        cast(_Connection, connection).wanted = wanted
        return None

    def _health(self, connection: ServerConnection) -> Response:
        tape = self._tape
        state = {
            "status": "ok",
            "done": self._feed.done,
            "events": tape.end,
            "oldest_position": tape.start,
            "oldest_time_us": tape.oldest_us,
            "newest_time_us": tape.newest_us,
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
        if wanted.cursor is not None and wanted.cursor > max(self._now_us(), self._tape.newest_us):
            wanted = wanted._replace(cursor=None)
        compressor = self._compressor if wanted.compress else None
        await Session(connection, wanted, self._tape, self._feed, bucket, compressor).run()
