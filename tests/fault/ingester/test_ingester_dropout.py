"""A host that stops sending one type: said, recorded, and filled by the next host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import redis

from devstack.embedded import redis as embedded
from ingester.contract import wire
from ingester.contract.gap import Gap, Reason
from jetstream_simulator import process as simulator
from jetstream_simulator.generate import event_time_us, events
from tests.support.ingester import NOWHERE, Ingest, gaps, known, metadata, ordered, stored
from tests.support.waiting import until

RATE = 50.0  # a second of the stream
START_US = 1_750_000_000_000_000
EVENTS = 45_000  # fifteen minutes
AFTER = 30_000
COLLECTION = "app.bsky.feed.post"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of made-up events."""
    path = tmp_path_factory.mktemp("tape") / "events.jsonl"
    with path.open("wb") as out:
        out.writelines(line + b"\n" for line in events(EVENTS, seed=2, start_us=START_US, rate=RATE))
    return path


@pytest.fixture
def host(tape: Path, tmp_path: Path) -> Callable[..., simulator.SimulatorProcess]:
    """Starts a host that sends the tape, or so many events of it, partial from AFTER on if told so."""

    def start(*, partial: bool = False, port: int = 0, sends: int = EVENTS) -> simulator.SimulatorProcess:
        part = tmp_path / f"{sends}.jsonl"
        part.write_bytes(b"".join(line + b"\n" for line in tape_until(tape, sends - 1)))
        options = ["--omit", COLLECTION, "--omit-after", str(AFTER)] if partial else []
        replay = [f"--replay={part}", "--port", str(port), *options]
        return simulator.start(replay, log=tmp_path / "simulator.log")

    return start


def tape_until(tape: Path, last: int) -> list[bytes]:
    """The tape's events up to the one of this number."""
    return tape.read_bytes().splitlines()[: last + 1]


def identities(lines: list[bytes]) -> set[bytes]:
    """Events as v1 and v2 agree on them."""
    return {ordered(line) for line in lines}


def posts(lines: list[bytes]) -> list[int]:
    """The times of the posts."""
    return [
        msgspec.json.decode(line)["time_us"] for line in lines if f'"collection":"{COLLECTION}"'.encode() in line
    ]


def partial_gap(client: redis.Redis) -> Gap:
    """The one gap of the partial host."""
    (gap,) = (gap for gap in known(client) if gap.reason is Reason.PARTIAL)
    return gap


def reached(client: redis.Redis, number: int, url: str) -> bool:
    """Whether the last event in Redis is the tape's of this number, and comes from the host at ``url``."""
    last = metadata(client)  # once: the next flush may be another host's, and of a far earlier time
    is_last = last.get(wire.META_TIME_US) == str(event_time_us(START_US, number, RATE))
    return is_last and f"//{last[wire.META_HOST]}/" in url


def at_end(client: redis.Redis, url: str) -> bool:
    """Whether the last event of the tape is in Redis, and comes from the host at ``url``."""
    return reached(client, EVENTS - 1, url)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_the_next_host_fills_the_gap_of_a_partial_host(
    protocol: str,
    host: Callable[..., simulator.SimulatorProcess],
    tape: Path,
    ingest: Ingest,
    redis_client: redis.Redis,
) -> None:
    sent = tape.read_bytes().splitlines()
    with host(partial=True) as first, host() as second:
        urls = f"{first.url},{second.events_url if protocol == 'v2' else second.url}"
        with ingest(urls, start_cursor=1) as ingester:
            until(lambda: at_end(redis_client, second.url), 60)
            assert ingester.stop() == 0
            said = ingester.log.read_text()
    assert said.count("event=partial ") == said.count("event=host_switched") == 1, "and no way back"
    assert identities(stored(redis_client)) == identities(sent)
    gap = partial_gap(redis_client)
    assert (gap.queue, gap.filled) == (wire.POSTS, "other host") and gap.host in first.url
    assert gap.id == f"partial:{gap.host}:{gap.from_us}:{wire.POSTS}"
    began_us = event_time_us(START_US, AFTER, RATE)
    assert began_us - 150_000_000 <= gap.from_us <= began_us < gap.to_us
    assert [gap.filled for gap in gaps(redis_client)] == ["", "other host"], "recorded when it was found"


def test_alone_it_goes_on_and_says_so(
    host: Callable[..., simulator.SimulatorProcess], tape: Path, ingest: Ingest, redis_client: redis.Redis
) -> None:
    with (
        host(partial=True) as only,
        ingest(only.url, start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client, only.url), 60)
        until(lambda: known(redis_client))
        assert ingester.stop() == 0
        said = ingester.log.read_text()
    assert said.count("event=connected") == 1 and "event=partial " in said
    gap = partial_gap(redis_client)
    missing = sorted(set(posts(tape.read_bytes().splitlines())) - set(posts(stored(redis_client))))
    assert (gap.queue, gap.filled) == (wire.POSTS, "") and missing
    assert gap.from_us < missing[0]
    assert gap.to_us > missing[-1] - 150_000_000, "up to the last whole window of the stream"
    assert len({gap.id for gap in gaps(redis_client)}) == 1


def test_a_replay_is_judged_as_finely_as_it_is_flushed(
    host: Callable[..., simulator.SimulatorProcess], ingest: Ingest, redis_client: redis.Redis
) -> None:
    seconds_a_flush = 300 / RATE
    with (
        host(partial=True) as only,
        ingest(only.url, start_cursor=1, flush_events=300, flush_ms=2000) as ingester,
    ):
        until(lambda: at_end(redis_client, only.url), 60)
        assert ingester.stop() == 0
    # The last normal window, and what of the partial one may have been normal (see history.FLOOR).
    longest_us = (60 + seconds_a_flush) * 1_000_000 * 1.2
    began_us = event_time_us(START_US, AFTER, RATE)
    assert began_us - longest_us <= partial_gap(redis_client).from_us <= began_us


def test_hosts_that_agree_are_believed(
    host: Callable[..., simulator.SimulatorProcess], ingest: Ingest, redis_client: redis.Redis
) -> None:
    with (
        host(partial=True) as first,
        host(partial=True) as second,
        ingest(f"{first.url},{second.url}", start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client, second.url), 60)
        until(lambda: ingester.said("reason=same_elsewhere"))
        assert ingester.stop() == 0
        assert ingester.log.read_text().count("event=host_switched") == 1
    assert partial_gap(redis_client).filled == ""


class Death(NamedTuple):
    """How far both hosts send until the process is killed: of the partial one, and of the other (0: not there)."""

    partial_sends: int
    other_sends: int


DEATHS = {
    # Twenty seconds after the first post is missing: nobody has noticed.
    "not noticed": Death(AFTER + 1000, 0),
    "noticed": Death(AFTER + 8000, 0),
    # The other host has sent up to forty seconds after the first missing post.
    "being filled": Death(EVENTS, AFTER + 2000),
}


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS.keys())
def test_what_a_killed_process_missed_is_filled_by_the_next(
    death: Death,
    host: Callable[..., simulator.SimulatorProcess],
    tape: Path,
    ingest: Ingest,
    redis_client: redis.Redis,
) -> None:
    one, two = embedded.free_port(), embedded.free_port()
    first, second = f"ws://127.0.0.1:{one}/subscribe", f"ws://127.0.0.1:{two}/subscribe"
    urls = f"{first},{second}"
    last = (death.other_sends or death.partial_sends) - 1
    left_out = f'"collection":"{COLLECTION}"'.encode()
    while not death.other_sends and left_out in tape_until(tape, last)[last]:
        last -= 1  # the partial host leaves it out
    with ExitStack() as hosts:
        hosts.enter_context(host(partial=True, port=one, sends=death.partial_sends))
        if death.other_sends:
            hosts.enter_context(host(port=two, sends=death.other_sends))
        with ingest(urls, start_cursor=1) as ingester:
            noticed = death.partial_sends > DEATHS["not noticed"].partial_sends
            asked = second if death.other_sends else first
            until(lambda: reached(redis_client, last, asked) and len(known(redis_client)) == noticed, 60)
            ingester.kill()
    assert [gap.filled for gap in known(redis_client)] == [""] * noticed, "what the dead process leaves"
    sent = tape_until(tape, death.partial_sends - 1)
    assert identities(sent) - identities(stored(redis_client)), "there is something to fill"
    with (
        host(partial=True, port=one),
        host(port=two),
        ingest(urls) as ingester,
    ):
        until(lambda: at_end(redis_client, second), 60)
        until(lambda: all(gap.filled for gap in known(redis_client)))
        assert ingester.stop() == 0
        assert ingester.said(f'event=connected url="{first}') != noticed, "it is known to be partial"
    assert identities(stored(redis_client)) == identities(tape.read_bytes().splitlines())
    gap = partial_gap(redis_client)
    assert (gap.queue, gap.filled, gap.host) == (wire.POSTS, "other host", f"127.0.0.1:{one}")
    began_us = event_time_us(START_US, AFTER, RATE)
    assert began_us - 150_000_000 <= gap.from_us <= began_us < gap.to_us
    assert metadata(redis_client)[wire.META_GAPS] == ""


def test_a_history_that_cannot_be_read_closes_what_is_open_and_fetches_it(
    host: Callable[..., simulator.SimulatorProcess], tape: Path, ingest: Ingest, redis_client: redis.Redis
) -> None:
    with host(partial=True) as first, host() as second:
        with ingest(f"{first.url},{NOWHERE}", start_cursor=1) as ingester:
            until(lambda: at_end(redis_client, first.url), 60)
            until(lambda: known(redis_client))
            ingester.kill()
            assert ingester.log.read_text().count("event=host_switched") <= 2, "to the other host and back"
        redis_client.hset(wire.METADATA_KEY, wire.META_HISTORY, "nonsense")
        with ingest(f"{first.url},{second.url}") as ingester:
            until(lambda: at_end(redis_client, second.url), 60)
            assert ingester.stop() == 0
            assert ingester.said("event=history_unreadable")
    assert identities(stored(redis_client)) == identities(tape.read_bytes().splitlines())
    assert partial_gap(redis_client).filled == "", "what to expect of that host is not known"
    assert metadata(redis_client)[wire.META_GAPS] == "", "and nobody ever will"


def test_a_host_that_is_not_partial_is_kept(
    host: Callable[..., simulator.SimulatorProcess], ingest: Ingest, redis_client: redis.Redis
) -> None:
    with (
        host() as only,
        ingest(f"{only.url},{NOWHERE}", start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client, only.url), 60)
        assert ingester.stop() == 0
        assert not ingester.said("event=host_switched")
    assert gaps(redis_client) == []
