"""An object store of a test's own: moto's server in a process, with the faults that a test asks for.

Requests are served one at a time once their body has come: moto compares ETags and writes in two steps, a real
store does so in one. Must not: know what lies in a bucket.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from firehose.store import ObjectLake, Place
from firehose.store.objects import fencing
from firehose.store.objects.client import Bucket

#: The usual variables, for clients of the store in this process and in those that it starts.
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "firehose",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_MAX_ATTEMPTS": "2",
    "AWS_EC2_METADATA_DISABLED": "true",
}
BUCKET: Final = "lakes"
#: The variable that says where it is, to processes that a test starts.
STORE: Final = "TEST_OBJECT_STORE"
_CONTROL: Final = "/-/"


class ObjectStore:
    """A server at ``url``, with one bucket."""

    def __init__(self, url: str) -> None:
        self.url = url

    def make_bucket(self) -> None:
        self._ask("make")

    def uri(self, prefix: str) -> str:
        """The address of a lake in it."""
        return f"s3://{BUCKET}/{prefix}?region=us-east-1&endpoint_override={self.url}"

    def lake(self, folder: Path) -> ObjectLake:
        """An empty lake for a test's folder, where its drafts lie."""
        return ObjectLake(Place.of(self.uri(str(folder).strip("/"))), folder.parent / "spool")

    def requests(self) -> list[str]:
        """What was asked since the last time: ``GET /lakes/…``, queries included, but for renewed leases."""
        return [asked for asked in self._ask("requests") if not asked.endswith("/lease?")]

    def fail(self, status: int, times: int, containing: str = "") -> None:
        """Answer the next requests that contain a text with this status; 0: cut the connection."""
        self._ask("fail", status=status, times=times, containing=containing)

    def failed(self) -> int:
        """How many requests have failed in this way."""
        count: int = self._ask("failed")
        return count

    def _ask(self, what: str, **options: Any) -> Any:
        return httpx.post(self.url + _CONTROL + what, json=options, timeout=30).raise_for_status().json()


def fence_all(lake: ObjectLake) -> None:
    """Do what a process does that finds a lock whose holder was silent: as if all were, now."""
    bucket = Bucket(lake.place)
    for found in bucket.page(f"{fencing.FOLDER}/", folders=True).folders:
        assert fencing.fence(bucket, found.removeprefix(f"{fencing.FOLDER}/"), silent_s=-2)


@contextlib.contextmanager
def object_store(port: int = 0) -> Iterator[ObjectStore]:
    """A server until the end of the block."""
    command = [sys.executable, "-c", "from tests.support.object_store import serve; serve()", str(port)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        store = ObjectStore(process.stdout.readline().strip())
        store.make_bucket()
        yield store
    finally:
        process.kill()
        process.wait()


class _Served:
    """The application: moto's, one request at a time, with a log and faults."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one = threading.Lock()
        self._requests: list[str] = []
        self._fault: dict[str, Any] = {"times": 0}
        self._failed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with tempfile.SpooledTemporaryFile(max_size=1 << 20) as body:
            chunked = environ.get("wsgi.input_terminated", False)
            left = sys.maxsize if chunked else int(environ.get("CONTENT_LENGTH") or 0)
            while left and (piece := environ["wsgi.input"].read(min(left, 1 << 16))):
                left -= body.write(piece)
            body.seek(0)
            with self._one:
                if environ["PATH_INFO"].startswith(_CONTROL):
                    return self._control(environ["PATH_INFO"].removeprefix(_CONTROL), body.read(), start_response)
                signed = "" if "HTTP_AUTHORIZATION" in environ else "unsigned "
                asked = f"{signed}{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
                self._requests.append(asked)
                if self._fault["times"] and self._fault["containing"] in asked:
                    return self._fails(environ, start_response)
                environ["wsgi.input"] = body
                return [b"".join(self._moto(environ, start_response))]

    def _fails(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self._fault["times"] -= 1
        self._failed += 1
        if not (status := self._fault["status"]):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        start_response(f"{status} Fault", [("Content-Length", "0")])
        return []

    def _control(self, what: str, body: bytes, start_response: Any) -> list[bytes]:
        answer: Any = None
        if what == "requests":
            answer, self._requests = self._requests, []
        elif what == "fail":
            self._fault = json.loads(body)
        elif what == "failed":
            answer = self._failed
        elif what == "make":
            from moto.s3.models import s3_backends

            s3_backends["123456789012"]["aws"].create_bucket(BUCKET, "us-east-1")
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


def serve() -> None:
    """Serve until killed; the address is the first line of the output."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None: ...

    server = make_server("127.0.0.1", int(sys.argv[1]), _Served(), threaded=True, request_handler=Quiet)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
