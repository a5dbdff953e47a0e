"""A server that means harm: the ingester survives or reconnects, its memory stays bounded, and the good events
before and after are stored."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
import redis
import zstandard
from websockets.protocol import State
from websockets.sync.server import ServerConnection

from ingester.contract import wire
from ingester.contract.gap import Reason
from tests.fault.ingester.test_ingester_v2 import SourceV2
from tests.fault.ingester.test_ingester_v2 import frame as v2_frame
from tests.support.ingester import IngesterProcess, Query, Source, cursor, event, known, metadata, stored, time_us
from tests.support.waiting import until

MIB = 1024 * 1024
BEFORE, AFTER = event(0), event(8)
#: Peak memory (MiB) of an ingester that meets nothing larger than a usual event is some 40.
PEAK_MIB = 120
FIN_TEXT, FIN_BINARY, TEXT, RESERVED = 0x81, 0x82, 0x01, 0x83

Attack = Callable[[ServerConnection], None]


def frame(opcode: int, payload: bytes, claimed: int | None = None) -> bytes:
    """A websocket frame as a server sends it; ``claimed`` is the size in its header."""
    return struct.pack("!BBQ", opcode, 127, len(payload) if claimed is None else claimed) + payload


def raw(*frames: bytes) -> Attack:
    """Write these bytes to the socket, and close it."""

    def attack(connection: ServerConnection) -> None:
        for part in frames:
            connection.socket.sendall(part)
        connection.socket.close()

    return attack


BREAKING = {
    "a truncated frame": raw(frame(FIN_TEXT, b'{"did":', claimed=1000)),
    "a truncated header": raw(b"\x81\x7f\x00"),
    "a frame of 8 EiB": raw(frame(FIN_TEXT, b"x" * 1000, claimed=2**63 - 1)),
    "a frame just over the limit": raw(frame(FIN_TEXT, b" " * (MIB + 1))),
    "fragments beyond the limit": raw(frame(TEXT, b"{"), *[frame(0, b" " * 1000)] * 1100),
    "ten thousand fragments": raw(frame(TEXT, b"{"), *[frame(0, b"")] * 10_000),
    "a reserved opcode": raw(frame(RESERVED, b"")),
    "compressed without an agreement": raw(frame(FIN_TEXT | 0x40, b"\x00" * 100)),
    "no websocket at all": raw(random.Random(5).randbytes(100_000)),
}


@pytest.fixture
def dictionary(tmp_path: Path) -> zstandard.ZstdCompressionDict:
    """A trained dictionary, also in the file ``dictionary``."""
    trained = zstandard.train_dictionary(4096, [event(number) for number in range(2000)])
    (tmp_path / "dictionary").write_bytes(trained.as_bytes())
    return trained


def test_broken_framing_costs_a_connection_each(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    attacks = list(BREAKING.values())

    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) > len(attacks):
            return source.send_from_cursor(connection, query)
        number = len(source.connections) - 1
        connection.send(event(number), text=True)
        until(lambda: event(number) in stored(redis_client))
        return attacks[number](connection)

    sent = [event(number) for number in range(len(attacks) + 10)]
    with (
        Source(sent, behave=behave) as source,
        IngesterProcess(tmp_path, redis_url, source.url, max_message_bytes=MIB, backoff_max_s=0.05) as ingester,
    ):
        until(lambda: cursor(redis_client) == time_us(len(sent) - 1))
        assert peak_mib(ingester) < PEAK_MIB
        assert ingester.log.read_text().count("event=disconnected") == len(attacks)
        assert not ingester.said("Traceback")
        assert ingester.stop() == 0
    assert set(stored(redis_client)) == set(sent)


def test_bombs_are_kept_compressed(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, dictionary: zstandard.ZstdCompressionDict
) -> None:
    # Over 1 GiB each once decompressed: one that says so, one that does not, and one that lies.
    compress = zstandard.ZstdCompressor(dict_data=dictionary).compress
    bombs = [bomb(sized=True), bomb(sized=False), bomb(sized=True, claims=100), compress(BEFORE)[:-4]]
    bombs += [compress(BEFORE) + compress(AFTER), compress(BEFORE) + b"x", b"\x28\xb5\x2f\xfd"]
    sent = [compress(BEFORE), *bombs, compress(AFTER)]
    with (
        Source(sent) as source,
        IngesterProcess(tmp_path, redis_url, source.url, zstd_dictionary=tmp_path / "dictionary") as ingester,
    ):
        until(lambda: cursor(redis_client) == time_us(8))
        assert peak_mib(ingester) < PEAK_MIB
        assert ingester.stop() == 0
    assert len(source.connections) == 1
    assert stored(redis_client, wire.POSTS) == [BEFORE, AFTER]
    letters = [msgspec.json.decode(line) for line in stored(redis_client, wire.OTHER)]
    assert [msgspec.convert(letter["bytes"], bytes) for letter in letters] == bombs


def test_a_flood_of_garbage_and_giants_is_held_back(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    # Redis takes nothing for a while, the server sends 400 MiB meanwhile.
    dice = random.Random(11)
    garbage = [dice.randbytes(dice.randrange(200)) for _ in range(10_000)]
    deep = b'{"a":' + b"[" * 20_000
    giants = [b"x" * MIB] * 400  # fewer than the messages that may wait
    sent = [BEFORE, *garbage[:1000], deep, *giants, *garbage[1000:], AFTER]

    def behave(connection: ServerConnection, query: Query) -> None:
        redis_client.client_pause(2500)
        for number, message in enumerate(sent):
            # Text that is no UTF-8 now and then.
            connection.send(message, text=number % 3 == 0)
        connection.recv()

    with (
        Source(sent, behave=behave) as source,
        IngesterProcess(tmp_path, redis_url, source.url, flush_events=4000) as ingester,
    ):
        until(lambda: ingester.said("event=connected"))
        until(lambda: cursor(redis_client) == time_us(8), 40)
        assert peak_mib(ingester) < 2 * PEAK_MIB
        assert ingester.stop() == 0
    assert len(source.connections) == 1
    assert stored(redis_client, wire.POSTS) == [BEFORE, AFTER]
    assert int(redis_client.hget(wire.METADATA_KEY, "events:other") or 0) == len(sent) - 2


@pytest.mark.parametrize("wrong", [0, 5, 2**62, 4_102_444_800_000_000])
def test_one_wrong_time_does_not_move_the_stream(
    wrong: int, redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    # The connection ends right after it: resuming there would be the live tail, or a day of repetition.
    def behave(connection: ServerConnection, query: Query) -> None:
        if len(source.connections) > 1:
            return source.send_from_cursor(connection, query)
        for message in (BEFORE, b'{"time_us":%d,"kind":"account","account":{"seq":1}}' % wrong):
            connection.send(message, text=True)
        return connection.socket.close()

    with (
        Source([event(number) for number in range(9)], behave=behave) as source,
        IngesterProcess(tmp_path, redis_url, source.url) as ingester,
    ):
        until(lambda: cursor(redis_client) == time_us(8))
        assert ingester.stop() == 0
    assert source.connections[1]["cursor"] == [str(time_us(0) - 20_000)]


def bomb(*, sized: bool, claims: int = 1025 * MIB) -> bytes:
    """A zstd frame (RFC 8878) of 1025 MiB of zeros, in blocks of 128 KiB that take four bytes each."""
    # Magic; descriptor: a size of 8 bytes or none, no single segment; window descriptor: 1 MiB.
    head = (
        b"\x28\xb5\x2f\xfd"
        + bytes([0xC0 if sized else 0x00, 10 << 3])
        + (struct.pack("<Q", claims) if sized else b"")
    )
    size = 128 * 1024
    block = (size << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    return head + block * (1025 * MIB // size - 1) + (size << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"


def peak_mib(ingester: IngesterProcess) -> float:
    """The most memory that the process has ever held."""
    assert ingester.process is not None
    status = Path(f"/proc/{ingester.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def v1_stream(sent: list[bytes]) -> Source:
    """A v1 server that takes no notice of maxMessageSizeBytes."""
    return Source(sent)


def v2_stream(sent: list[bytes]) -> Source:
    """The same for v2."""
    return SourceV2(
        [v2_frame(number) if len(message) < 5000 else b"x" * len(message) for number, message in enumerate(sent)]
    )


@pytest.mark.parametrize("stream", [v1_stream, v2_stream])
def test_a_giant_that_is_sent_again_and_again_is_passed_by(
    stream: Callable[[list[bytes]], Source], redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    sent = [event(number, 20_000 if number == 50 else 10) for number in range(100)]
    with stream(sent) as source:
        ingester = IngesterProcess(tmp_path, redis_url, source.url, max_message_bytes=10_000, backoff_max_s=0.02)
        with ingester.start():
            until(lambda: time_of(redis_client) == time_us(99))
            asked = [query.get("maxMessageSizeBytes") for query in source.connections]
            assert asked[:4] == [None, ["10000"], ["10000"], ["10000"]]
            connections = len(source.connections)
            assert connections < 40
            assert ingester.stop() == 0
        assert ingester.log.read_text().count("event=message_too_large") == 1
        with ingester.start():
            # Rewound by 20 events: the giant is far behind.
            source.messages.append(event(100) if stream is v1_stream else v2_frame(100))
            until(lambda: time_of(redis_client) == time_us(100))
        assert len(source.connections) == connections + 1
    stored_numbers = {(msgspec.json.decode(line)["time_us"] - time_us(0)) // 1000 for line in stored(redis_client)}
    assert stored_numbers == set(range(101)) - {50}
    (gap,) = known(redis_client)
    assert (gap.reason, gap.filled) == (Reason.OVERSIZE, "")
    assert (gap.from_us, gap.to_us) == (time_us(49), time_us(51)), "exactly what was stepped past"


def test_a_giant_within_the_rewind_is_not_met_again(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        cursor_us = int(query.get("cursor", ["0"])[0])
        if cursor_us > time_us(50) and not closed:
            for message in sent[51:60]:
                connection.send(message, text=True)
            # A connection that only looks for the end of the giant is ended by the ingester.
            until(lambda: time_of(redis_client) == time_us(59) or connection.state is not State.OPEN)
            if time_of(redis_client) == time_us(59):
                closed.append(True)
                connection.socket.close()
        else:
            source.send_from_cursor(connection, query)

    closed: list[bool] = []
    sent = [event(number, 20_000 if number == 50 else 10) for number in range(100)]
    with (
        Source(sent, behave=behave) as source,
        IngesterProcess(
            tmp_path, redis_url, source.url, max_message_bytes=10_000, backoff_max_s=0.02, rewind_ms=2000
        ) as ingester,
    ):
        until(lambda: time_of(redis_client) == time_us(99))
        assert ingester.log.read_text().count("event=message_too_large") == 1
        assert ingester.stop() == 0
    assert closed


def test_a_giant_that_the_server_leaves_out_is_a_gap_and_the_next_one_another(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    def behave(connection: ServerConnection, query: Query) -> None:
        limit = int(query.get("maxMessageSizeBytes", ["1000000"])[0])
        first = max(0, -(-(int(query.get("cursor", ["0"])[0]) - time_us(0)) // 1000))
        for number in range(first, 100):
            if len(sent[number]) <= limit:
                connection.send(sent[number], text=True)
            if number in (49, 51, 73, 75):
                until(partial(reached, redis_client, number))
        connection.recv()

    sent = [event(number, 20_000 if number in (50, 74) else 10) for number in range(100)]
    with (
        Source([], behave=behave) as source,
        IngesterProcess(tmp_path, redis_url, source.url, max_message_bytes=10_000, backoff_max_s=0.02) as ingester,
    ):
        until(lambda: time_of(redis_client) == time_us(99))
        until(lambda: len(known(redis_client)) == 2)
        assert ingester.stop() == 0
    assert [gap.reason for gap in known(redis_client)] == [Reason.OVERSIZE] * 2
    for gap, number in zip(known(redis_client), (50, 74), strict=True):
        assert gap.from_us == time_us(number - 1) and time_us(number) < gap.to_us <= time_us(99)
    assert set(stored(redis_client)) == set(sent) - {sent[50], sent[74]}


def reached(client: redis.Redis, number: int) -> bool:
    """Whether the ``number``-th event, or a later one, is the last in Redis."""
    return time_of(client) >= time_us(number)


def time_of(client: redis.Redis) -> int:
    """The time of the last event in Redis."""
    return int(metadata(client).get(wire.META_TIME_US, 0))
