"""A host that goes blind to one type: said, recorded, and made good by the next host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis

from firehose.simulator import process as simulator
from firehose.simulator.generate import event_time_us, events
from ingester import wire
from ingester.wire import Gap, Reason
from tests.fault.ingester.harness import IngesterProcess, gaps, known, metadata, stored, until

RATE = 50.0  # a second of the stream
START_US = 1_750_000_000_000_000
EVENTS = 45_000  # fifteen minutes
AFTER = 30_000
COLLECTION = "app.bsky.feed.post"
NOWHERE = "ws://127.0.0.1:1/subscribe"


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of made-up events."""
    path = tmp_path_factory.mktemp("tape") / "events.jsonl"
    with path.open("wb") as out:
        out.writelines(line + b"\n" for line in events(EVENTS, seed=2, start_us=START_US, rate=RATE))
    return path


@pytest.fixture
def host(tape: Path, tmp_path: Path) -> Callable[..., simulator.SimulatorProcess]:
    """Starts a host that sends the tape, blind from AFTER on if told so."""

    def start(*, blind: bool = False) -> simulator.SimulatorProcess:
        options = ["--blind", COLLECTION, "--blind-after", str(AFTER)] if blind else []
        return simulator.start([f"--replay={tape}", *options], log=tmp_path / "simulator.log")

    return start


def identities(lines: list[bytes]) -> set[bytes]:
    """Events as v1 and v2 agree on them."""
    return {msgspec.json.encode(msgspec.json.decode(line), order="sorted") for line in lines}


def posts(lines: list[bytes]) -> list[int]:
    """The times of the posts."""
    return [
        msgspec.json.decode(line)["time_us"] for line in lines if f'"collection":"{COLLECTION}"'.encode() in line
    ]


def blind(client: redis.Redis) -> Gap:
    """The one gap of blindness."""
    (gap,) = (gap for gap in known(client) if gap.reason is Reason.BLIND)
    return gap


def at_end(client: redis.Redis) -> bool:
    """Whether the last event of the tape is in Redis."""
    return int(metadata(client).get(wire.META_TIME_US, 0)) == event_time_us(START_US, EVENTS - 1, RATE)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_the_next_host_makes_blindness_good(
    protocol: str,
    host: Callable[..., simulator.SimulatorProcess],
    tape: Path,
    redis_url: str,
    redis_client: redis.Redis,
    tmp_path: Path,
) -> None:
    sent = tape.read_bytes().splitlines()
    with host(blind=True) as first, host() as second:
        urls = f"{first.url},{second.events_url if protocol == 'v2' else second.url}"
        with IngesterProcess(tmp_path, redis_url, urls, start_cursor=1) as ingester:
            until(lambda: at_end(redis_client) and metadata(redis_client)["host"] in second.url, 60)
            assert ingester.stop() == 0
            said = ingester.log.read_text()
    assert said.count("event=blind ") == said.count("event=host_switched") == 1, "and no way back"
    assert identities(stored(redis_client)) == identities(sent)
    gap = blind(redis_client)
    assert (gap.queue, gap.healed) == (wire.POSTS, "other host") and gap.host in first.url
    assert gap.id == f"blind:{gap.host}:{gap.from_us}:{wire.POSTS}"
    went_blind = event_time_us(START_US, AFTER, RATE)
    assert went_blind - 150_000_000 <= gap.from_us <= went_blind < gap.to_us
    assert [gap.healed for gap in gaps(redis_client)] == ["", "other host"], "recorded when it was found"


def test_alone_it_goes_on_and_says_so(
    host: Callable[..., simulator.SimulatorProcess],
    tape: Path,
    redis_url: str,
    redis_client: redis.Redis,
    tmp_path: Path,
) -> None:
    with (
        host(blind=True) as only,
        IngesterProcess(tmp_path, redis_url, only.url, start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client), 60)
        until(lambda: known(redis_client))
        assert ingester.stop() == 0
        said = ingester.log.read_text()
    assert said.count("event=connected") == 1 and "event=blind " in said
    gap = blind(redis_client)
    missing = sorted(set(posts(tape.read_bytes().splitlines())) - set(posts(stored(redis_client))))
    assert (gap.queue, gap.healed) == (wire.POSTS, "") and missing
    assert gap.from_us < missing[0]
    assert gap.to_us > missing[-1] - 150_000_000, "up to the last whole window of the stream"
    assert len({gap.id for gap in gaps(redis_client)}) == 1


def test_hosts_that_agree_are_believed(
    host: Callable[..., simulator.SimulatorProcess],
    redis_url: str,
    redis_client: redis.Redis,
    tmp_path: Path,
) -> None:
    with (
        host(blind=True) as first,
        host(blind=True) as second,
        IngesterProcess(tmp_path, redis_url, f"{first.url},{second.url}", start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client) and metadata(redis_client)["host"] in second.url, 60)
        until(lambda: ingester.said("why=agreed"))
        assert ingester.stop() == 0
        assert ingester.log.read_text().count("event=host_switched") == 1
    assert blind(redis_client).healed == ""


def test_what_a_dead_process_found_is_fetched_by_the_next(
    host: Callable[..., simulator.SimulatorProcess],
    tape: Path,
    redis_url: str,
    redis_client: redis.Redis,
    tmp_path: Path,
) -> None:
    with host(blind=True) as first, host() as second:
        with IngesterProcess(tmp_path, redis_url, f"{first.url},{NOWHERE}", start_cursor=1) as ingester:
            until(lambda: at_end(redis_client), 60)
            until(lambda: known(redis_client))
            ingester.kill()
            assert ingester.log.read_text().count("event=host_switched") <= 2, "to the other host and back"
        with IngesterProcess(tmp_path, redis_url, f"{first.url},{second.url}") as ingester:
            until(lambda: at_end(redis_client) and metadata(redis_client)["host"] in second.url, 60)
            assert ingester.stop() == 0
    assert identities(stored(redis_client)) == identities(tape.read_bytes().splitlines())
    assert blind(redis_client).healed == "", "nobody knows what to expect of that host"


def test_a_host_that_is_not_blind_is_not_left(
    host: Callable[..., simulator.SimulatorProcess],
    redis_url: str,
    redis_client: redis.Redis,
    tmp_path: Path,
) -> None:
    with (
        host() as only,
        IngesterProcess(tmp_path, redis_url, f"{only.url},{NOWHERE}", start_cursor=1) as ingester,
    ):
        until(lambda: at_end(redis_client), 60)
        assert ingester.stop() == 0
        assert not ingester.said("event=host_switched")
    assert gaps(redis_client) == []
