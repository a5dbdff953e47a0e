"""Bodies that are too much: bombs, endless and slow ones, and what they take of disk and memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator

import httpx
import lz4.frame  # type: ignore[import-untyped]  # it has neither stubs nor py.typed
import pytest
from backports import zstd

from clickhouse_http import EndpointProcess, exceptions
from clickhouse_http.wire.compression import PIECE, Decoder
from tests.support.endpoint import ANALYST, LOADER
from tests.support.waiting import until

from .tools import MIB, WAIT_S, Repeated, Socket, ask, code, endpoint, others_are_served, peak_mib, spool_bytes

INSERT = {"query": "INSERT INTO t.rows FORMAT TabSeparated"}
TOO_MUCH = {
    str(known)
    for known in (exceptions.TOO_LARGE_SIZE_COMPRESSED, exceptions.QUERY_IS_TOO_LARGE, exceptions.NOT_ENOUGH_SPACE)
}
#: Of the module's endpoint.
BODY_MIB = 64


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    home = tmp_path_factory.mktemp("bodies")
    with endpoint(home, http_max_body_mib=BODY_MIB, http_spool_mib=3 * BODY_MIB, http_timeout_s=3.0) as made:
        yield made


def _zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield bytes(MIB)


def _zstd_bomb(size: int) -> bytes:
    packer = zstd.ZstdCompressor(level=19)
    return b"".join(packer.compress(piece) for piece in _zeros(size)) + packer.flush()


def _lz4_bomb(size: int) -> bytes:
    with lz4.frame.LZ4FrameCompressor() as packer:
        return bytes(packer.begin() + b"".join(packer.compress(piece) for piece in _zeros(size)) + packer.flush())


def _zlib_bomb(size: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(piece) for piece in _zeros(size)) + packer.flush()


BOMBS: dict[str, Callable[[int], bytes]] = {
    "zstd": _zstd_bomb,
    "lz4": _lz4_bomb,
    "gzip": lambda size: _zlib_bomb(size, 31),
    "deflate": lambda size: _zlib_bomb(size, 15),
}


@pytest.mark.parametrize("user", [ANALYST, LOADER])
@pytest.mark.parametrize("method", BOMBS)
def test_a_bomb_is_refused_early(running: EndpointProcess, method: str, user: tuple[str, str]) -> None:
    bomb = BOMBS[method](256 * MIB)
    headers = {"Content-Encoding": method}
    answer = httpx.post(running.url, params=INSERT, content=bomb, headers=headers, auth=user, timeout=WAIT_S)
    assert code(answer) in TOO_MUCH


def test_bombs_delay_no_other_client(running: EndpointProcess) -> None:
    bomb = _zstd_bomb(1024 * MIB)
    headers = {"Content-Encoding": "zstd"}

    def attack() -> None:
        answer = httpx.post(running.url, content=bomb, headers=headers, auth=ANALYST, timeout=WAIT_S)
        assert code(answer) in TOO_MUCH

    before = peak_mib(running)
    with Repeated(attack, threads=8) as attacks:
        others_are_served(running, attacks.under_way)
    assert peak_mib(running) - before < 256
    until(lambda: spool_bytes(running) == 0)


@pytest.mark.parametrize("method", BOMBS)
def test_a_decoder_gives_bounded_pieces_and_all_of_them(method: str) -> None:
    text = b"".join(b"%d," % number for number in range(1_000_000)) + bytes(3 * PIECE)
    packed = {"zstd": zstd.compress, "lz4": lz4.frame.compress, "gzip": gzip.compress, "deflate": zlib.compress}
    decoder = Decoder(method)
    pieces = []
    source = io.BytesIO(packed[method](text) * (2 if method == "zstd" else 1))
    while chunk := source.read(65_536):
        pieces += list(decoder.feed(chunk))
    decoder.finish()
    assert max(map(len, pieces)) <= PIECE
    assert b"".join(pieces) == text * (2 if method == "zstd" else 1)


def test_a_zstd_frame_may_not_ask_for_a_giant_window() -> None:
    packer = zstd.ZstdCompressor(options={int(zstd.CompressionParameter.window_log): 27})
    packed = packer.compress(b"a" * MIB) + packer.flush()
    assert zstd.decompress(packed) == b"a" * MIB
    with pytest.raises(exceptions.QueryError, match="memory"):
        list(Decoder("zstd").feed(packed))


@pytest.mark.parametrize(("user", "most_mib"), [(ANALYST, 16), (LOADER, BODY_MIB)])
def test_an_upload_without_end_is_cut_off(running: EndpointProcess, user: tuple[str, str], most_mib: int) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1024:
            sent += 1
            yield b"x" * MIB

    answer = httpx.post(running.url, params=INSERT, content=endless(), auth=user, timeout=WAIT_S)
    assert (answer.status_code, code(answer)) == (413, str(exceptions.QUERY_IS_TOO_LARGE))
    assert most_mib <= sent < most_mib + 64
    until(lambda: spool_bytes(running) == 0)


@pytest.mark.parametrize("user", [ANALYST, LOADER])
def test_held_results_have_a_share_of_the_disk(running: EndpointProcess, user: tuple[str, str]) -> None:
    """A result whose end is waited for is written to disk; without a bound it would fill it."""
    query = "SELECT repeat('x', 1000) FROM numbers(1000000)"
    answer = ask(running, query, user, wait_end_of_query="1", max_block_size="1000")
    assert code(answer) == str(exceptions.NOT_ENOUGH_SPACE), answer.text[:200]
    assert "FIREHOSE_HTTP_SPOOL_MIB" in answer.text
    until(lambda: spool_bytes(running) == 0)
    small = ask(running, "SELECT repeat('x', 1000) FROM numbers(5000)", user, wait_end_of_query="1")
    assert len(small.content) == 5000 * 1001


def test_one_user_cannot_fill_the_spool_of_the_other(running: EndpointProcess) -> None:
    """The analyst holds half of all with results that are not read; the loader's upload finds room."""
    held = "SELECT repeat('x', 1000) FROM numbers(45000)"
    with Socket(running) as first, Socket(running) as second:
        for waiting in (first, second):
            waiting.send(_request(held, ANALYST, "wait_end_of_query=1&max_block_size=1000"))
        until(lambda: spool_bytes(running) > 80 * MIB)
        third = ask(running, held, ANALYST, wait_end_of_query="1", max_block_size="1000")
        assert code(third) == str(exceptions.NOT_ENOUGH_SPACE)
        rows = b"7\t" + b"y" * 1000 + b"\n"
        loaded = httpx.post(running.url, params=INSERT, content=rows * 50_000, auth=LOADER, timeout=WAIT_S)
        assert loaded.status_code == 200, loaded.text


def test_a_body_that_stops_is_given_up(running: EndpointProcess) -> None:
    with Socket(running) as sending:
        head = _request("", ANALYST).replace(b"Content-Length: 0", b"Content-Length: 1000")
        sending.send(head + b"SELECT")
        answer = sending.received()
    assert b"Code: 209." in answer
    assert ask(running, "SELECT 1", ANALYST).text == "1\n"


def test_the_answer_to_a_stranger_does_not_wait_for_the_body(running: EndpointProcess) -> None:
    with Socket(running) as sending:
        head = _request("", ("loader", "wrong")).replace(b"Content-Length: 0", b"Content-Length: 1000000000")
        sending.send(head)
        answer = sending.received()
    assert b"Code: 516." in answer
    assert b"connection: close" in answer.lower()


def test_a_file_without_columns_is_refused_and_not_kept(running: EndpointProcess) -> None:
    files = {"data": ("data.csv", bytes(40 * MIB))}
    for _ in range(4):  # kept, they would fill the spool
        answer = httpx.post(running.url, files=files, auth=ANALYST, timeout=WAIT_S)
        assert code(answer) == str(exceptions.BAD_ARGUMENTS)
    fields = {"query": (None, "SELECT " + " " * (20 * MIB))}
    large = httpx.post(running.url, files=fields, auth=ANALYST, timeout=WAIT_S)
    assert code(large) in (str(exceptions.QUERY_IS_TOO_LARGE), str(exceptions.BAD_ARGUMENTS))


def test_the_reserve_of_the_disk_is_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """More than any disk has: nothing that needs disk is taken, and what fits into memory works."""
    with endpoint(tmp_path_factory.mktemp("reserve"), http_disk_reserve_mib=2**24) as running:
        rows = b"7\t" + b"y" * 1000 + b"\n"
        large = httpx.post(running.url, params=INSERT, content=rows * 20_000, auth=LOADER, timeout=WAIT_S)
        assert code(large) == str(exceptions.NOT_ENOUGH_SPACE)
        assert "FIREHOSE_HTTP_DISK_RESERVE_MIB" in large.text
        assert ask(running, "INSERT INTO t.rows FORMAT CSV\n1,a\n").status_code == 200


def _request(query: str, user: tuple[str, str], parameters: str = "") -> bytes:
    head = f"POST /?user={user[0]}&password={user[1]}&{parameters} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}Content-Length: {len(query)}\r\n\r\n{query}".encode()
