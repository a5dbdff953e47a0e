"""The dictionary of a v2 host: how long fetching it may take at most."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

import pytest

from ingester.jetstream import dictionary
from ingester.jetstream.dictionary import DictionaryUnavailable


@pytest.mark.parametrize("header", ["", "Connection: close\r\n"], ids=["kept", "closing"])
def test_a_host_that_drips_is_cut(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "FETCH_S", 0.3)
    server = socket.create_server(("127.0.0.1", 0))
    cut = threading.Event()

    def drip() -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.recv(65536)
            client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n{header}\r\n".encode())
            for _ in range(1200):  # within every timeout of the socket, for a minute
                client.sendall(b"x")
                time.sleep(0.05)
            return
        cut.set()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(DictionaryUnavailable):
            dictionary.fetch(f"ws://127.0.0.1:{server.getsockname()[1]}/xrpc/x.subscribeEvents", 1 << 20)
        assert cut.wait(30)
    finally:
        server.close()
        thread.join(90)
