"""A tape of nothing but trouble, between good events, from the socket to the lake: each event is there once,
as a row or in quarantine with a reason and its bytes, and the cursor has passed them all."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pyarrow.parquet as pq
import redis

from firehose import schema
from firehose.batch.drain import drain, redis_ms
from firehose.batch.interval import Batch
from firehose.lake import layout
from firehose.lake.publish import publish
from firehose.lake.report import VerifyReport
from firehose.lake.verify import verify
from firehose.quality.quarantine import quarantine_path
from firehose.quality.validate import validate
from firehose.settings import Settings
from firehose.store import LocalLake
from jetstream_simulator import identifiers
from jetstream_simulator.malformed import FAULTS, Envelope
from tests.support.ingester import IngesterProcess, Source, cursor, metadata
from tests.support.waiting import until

START_US = 1_779_719_009_000_000
DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
CREATED = "2026-05-25T14:23:29.132Z"
URI = f"at://{DID}/app.bsky.feed.post/3mmoojp7etg2g"
# Odd, but an event by its lexicon's rules: to be stored as it came.
QUIRKS: dict[str, dict[str, object]] = {
    **{
        f"created {claim}": {"createdAt": claim}
        for claim in (
            "0000-01-01T00:00:00.000Z",
            "0001-01-01T00:00:00Z",
            "2826-03-04T05:06:07.123456789+05:30",
            "",
            "x",
        )
    },
    "no langs": {"langs": None},
    "empty text": {"text": ""},
    "nul": {"text": "a\u0000b"},
    "html": {"text": "& < >"},
    "a megabyte": {"text": "x" * 1_088_193},
    "over 64 bits": {"number": 2**70},
    "200 deep": {"deep": msgspec.json.decode(b"[" * 200 + b"]" * 200)},
    "giant link": {"ref": {"$link": "z" + "2" * 500_000}},
}
# Faults that are a client's claim, or in a field that no query relies on: rows, their parts kept in ``extra``.
KEPT = {"created_at_missing", "created_at_number", "langs_string", "reply_string"}
# What no decoder should accept, beside the simulator's faults.
POISON = {
    "empty": b"",
    "bad UTF-8": b"\xff\xfe\xfd",
    "bad UTF-8 in a text": b'{"did":"%s","time_us":%d,"kind":"commit","commit":{"rev":"3mmoojp7vgo2g",'
    b'"operation":"create","collection":"app.bsky.feed.post","rkey":"a","record":{"text":"\xff"},"cid":"b"}}',
    "NaN": b'{"did":"%s","time_us":%d,"kind":"commit","commit":{"record":{"a":NaN}}}',
    "20,000 deep": b'{"did":"%s","time_us":%d,"kind":"commit","commit":{"record":'
    + b"[" * 20_000
    + b"]" * 20_000
    + b"}}",
    "400 deep": b'{"did":"%s","time_us":%d,"kind":"account","account":{"seq":1,"a":'
    + b"[" * 400
    + b"]" * 400
    + b"}}",
    "a time in the far future": b'{"did":"%s","time_us":4611686018427387904,"kind":"account","account":{"seq":1}}',
    "a time beyond 64 bits": b'{"did":"%s","time_us":99999999999999999999,"kind":"account","account":{"seq":2}}',
    "no time": b'{"did":"%s","time_us":0,"kind":"account","account":{"seq":3,"active":true}}',
    "seq beyond 64 bits": b'{"did":"%s","time_us":%d,"kind":"account",'
    b'"account":{"seq":9223372036854775808,"active":true}}',
    "two line breaks": b'{"did":"%s","time_us":%d,"kind":"commit","commit":{"record":"a\nb\n"}}',
    "pretends to be a dead letter": b'{"kind":"#undecodable","time_us":%d,"error":"lie","bytes":"bGll"}',
}


def tape() -> tuple[list[bytes], list[bytes]]:
    """The good events and the bad ones, in the order of the tape when interleaved."""
    rng, good, bad = Random(7), [], []
    for number, fields in enumerate(QUIRKS.values()):
        good.append(post(number, fields))
    for number in range(len(FAULTS) + len(POISON) + 1 - len(QUIRKS)):
        good.append(post(len(QUIRKS) + number, {}))
    for number, fault in enumerate(FAULTS.values()):
        bad.append(fault(_envelope(rng, number)))
    for number, line in enumerate(POISON.values(), len(FAULTS)):
        values: list[object] = [DID.encode()] if b"%s" in line else []
        values += [time_us(number) + 500] if b"%d" in line else []
        bad.append(line % tuple(values) if values else line)
    return good, bad


def time_us(number: int) -> int:
    """When the ``number``-th good event was witnessed; the bad one after it half a millisecond later."""
    return START_US + 1000 * number


def post(number: int, fields: dict[str, object]) -> bytes:
    """A good post with some fields replaced (None: left out); one DID each."""
    given = {"$type": "app.bsky.feed.post", "createdAt": CREATED, "langs": ["en"], "text": f"{number}"} | fields
    record = {name: value for name, value in given.items() if value is not None}
    cid = identifiers.record_cid(record) if number not in UNVERIFIABLE else identifiers.hash_cid(b"%032d" % number)
    commit = {
        "rev": "3mmoojp7vgo2g",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": f"k{number}",
    }
    did = f"did:plc:{number:024d}"
    event = {
        "did": did,
        "time_us": time_us(number),
        "kind": "commit",
        "commit": commit | {"record": record, "cid": cid},
    }
    return msgspec.json.encode(event)


UNVERIFIABLE = {list(QUIRKS).index("over 64 bits"), list(QUIRKS).index("giant link")}


def test_every_event_is_in_the_lake_once_or_in_quarantine(
    tmp_path: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    settings = Settings(home=str(tmp_path), lake=str(tmp_path / "lake"), redis_url=redis_url)
    good, bad = tape()
    messages = [message for pair in zip(good, bad, strict=False) for message in pair] + good[len(bad) :]
    start_s = redis_ms(redis_client) // 1000
    with Source(messages) as source, IngesterProcess(tmp_path, redis_url, source.url) as ingester:
        until(lambda: metadata(redis_client).get("events") == str(len(messages)))
        assert ingester.stop() == 0
        assert len(source.connections) == 1, "poison broke the connection"
    assert cursor(redis_client) == time_us(len(good) - 1)
    _to_the_lake(settings, start_s, redis_client)
    stored = _stored(settings.local_lake)
    assert stored.pop(DID) == len(KEPT)
    assert stored == Counter(f"did:plc:{number:024d}" for number in range(len(good)))
    kept = [line for name, line in zip(FAULTS, bad, strict=False) if name in KEPT]
    refused = [line for line in bad if line not in kept]
    quarantine = pq.read_table(next(settings.local_lake.glob("_quarantine/*/*/*.parquet")), partitioning=None)
    # A line break within broken JSON is kept as well: only between tokens of good JSON it becomes a space.
    assert Counter(quarantine["raw"].to_pylist()) == Counter(refused)
    assert all(quarantine["reason"].to_pylist())
    report = verify(settings.local_lake)
    _is_sound(report, len(messages), len(refused))


def _to_the_lake(settings: Settings, start_s: int, client: redis.Redis) -> None:
    end_s = redis_ms(client) // 1000 + 1
    batch = Batch.of(datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC))
    drain(settings, batch)
    validate(settings, batch)
    publish(settings, batch)
    assert quarantine_path(settings.local_lake, batch).exists()


def _stored(lake: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for record_type in schema.TYPES:
        for path in layout.hour_files(LocalLake(lake), record_type):
            found.update(pq.read_table(path, columns=["did"], partitioning=None)["did"].to_pylist())
    return found


def _is_sound(report: VerifyReport, sent: int, bad: int) -> None:
    assert report.ok, report.problems
    assert (report.raw_events, report.quarantined) == (sent, bad)
    assert report.types[schema.POSTS].unverifiable == len(report.unverifiable) == len(UNVERIFIABLE)
    assert report.types[schema.POSTS].verified == sent - bad - len(UNVERIFIABLE)


def _envelope(rng: Random, number: int) -> Envelope:
    cid = identifiers.hash_cid(rng.randbytes(32))
    rkey = f"odd{number}"
    return Envelope(DID, time_us(number) + 500, "3mmoojp7vgo2g", rkey, CREATED, {"cid": cid, "uri": URI})
