"""Power fails while a drain meets what somebody else has put into Redis: it stays there, or is in the lake.

All that is foreign is known as the Redis command that gives it back, which is what the lake keeps of it.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import redis

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.frame import as_command
from firehose.batch.interval import Batch
from firehose.batch.raw import read_chunks
from firehose.lake.verify import verify
from firehose.settings import Settings
from ingester.contract import wire
from tests.fault.power.drained import OF_FOREIGN, deletes, lines_of, put_frames, step
from tests.fault.power.journal import Deleted, Returned
from tests.fault.power.machine import Found, Machine

NewMachine = Callable[[], Machine]
FRAMES = 3
ASIDE = ":misplaced"
#: Keys of a type that is not theirs: a queue's, and the ingester's metadata.
MISPLACED = (wire.stream_key(wire.REPOSTS), wire.METADATA_KEY)
#: The last of the three files is of what is not a gap.
DEATHS = [*OF_FOREIGN, f"{OF_FOREIGN[-1]}:3"]
#: Streams with foreign entries, and the fields of each.
ENTRIES: dict[str, list[dict[bytes, bytes]]] = {
    wire.stream_key(wire.LIKES): [
        {
            wire.FIELD_COUNT: b"1",
            wire.FIELD_FIRST_US: b"1",
            wire.FIELD_LAST_US: b"2",
            wire.FIELD_PAYLOAD: b"not a frame\x00\xff",
        },
        {b"message": b"hello\r\n", b"\xff": b"\x00"},
    ],
    wire.COVERAGE_KEY: [{wire.FIELD_GAP: b"{not a gap"}, {b"other": b"field"}],
}


def fill(client: redis.Redis, batch: Batch) -> set[bytes]:
    """Put frames and foreign things into Redis; returns the commands that give the foreign things back."""
    commands = set[bytes]()
    put_frames(client, batch, wire.LIKES, FRAMES)
    for key, entries in ENTRIES.items():
        for number, fields in enumerate(entries, 1):
            entry_id = f"{batch.start_ms + 2000}-{number}"
            client.xadd(key, cast(Any, fields), id=entry_id)
            commands.add(added(key, entry_id.encode(), fields))
    client.rpush(MISPLACED[0], b"in the way", b"\x00\xff")
    client.set(MISPLACED[1], b"in the way too\r\n")
    return commands | {restored(key, client.dump(key) or b"") for key in MISPLACED}


def added(key: str, entry_id: bytes, fields: dict[bytes, bytes]) -> bytes:
    """The command that gives an entry back."""
    words = [word for pair in fields.items() for word in pair]
    return as_command(b"XADD", key.encode(), entry_id, *words)


def restored(key: str, content: bytes) -> bytes:
    """The command that gives a key back."""
    return as_command(b"RESTORE", key.encode(), b"0", content)


def in_redis(client: redis.Redis) -> set[bytes]:
    """The foreign things that Redis holds, wherever it has them."""
    found = set[bytes]()
    for key in ENTRIES:
        for entry_id, fields in cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(key)):
            found.add(added(key, entry_id, fields))
    for key in MISPLACED:
        for name in (key, key + ASIDE):
            if content := client.dump(name):
                found.add(restored(key, content))
    return found


def in_lake(settings: Settings, batch: Batch) -> Counter[bytes]:
    """The foreign things that the lake has: those of a batch count only if its manifest vouches for them."""
    found = Counter(dead_letters(settings, batch))
    for path in (settings.local_lake / Area.QUARANTINE / "redis").glob("*.resp"):
        found.update(commands_of(path))
    return found


def dead_letters(settings: Settings, batch: Batch) -> list[bytes]:
    """The bytes of the dead letters in a batch's files; none if there is no manifest."""
    folder = manifests.folder_of(settings.local_lake, batch)
    if (manifest := manifests.read(folder)) is None:
        return []
    manifests.check(folder, manifest)
    lines = [line for path in folder.glob("*.zst") for chunk in read_chunks(path, 500) for line in chunk]
    letters = [msgspec.json.decode(line) for line in lines if line not in lines_of(wire.LIKES, FRAMES)]
    assert all(letter["kind"] == wire.DEAD_LETTER_KIND for letter in letters)
    return [base64.b64decode(letter["bytes"]) for letter in letters]


def commands_of(path: Path) -> list[bytes]:
    """The commands in a file; what is not one, such as a torn end, is not counted."""
    content, found = path.read_bytes(), list[bytes]()
    while content:
        words, rest = list[bytes](), content
        try:
            count, rest = rest[1:].split(b"\r\n", 1)
            for _ in range(int(count)):
                size, rest = rest[1:].split(b"\r\n", 1)
                words.append(rest[: int(size)])
                assert len(words[-1]) == int(size)
                rest = rest[int(size) + 2 :]
        except (ValueError, AssertionError):
            break
        found.append(as_command(*words))
        content = rest
    return found


def assert_nothing_is_lost(found: Found, batch: Batch, foreign: set[bytes]) -> None:
    """All that is foreign is in Redis or in the lake; once the drain has run again, in the lake alone, once."""
    kept = in_redis(found.client) | set(in_lake(found.settings, batch))
    assert foreign <= kept, f"{found.number}: lost after {found.event}: {foreign - kept}"
    step(batch)(found.settings)
    assert in_lake(found.settings, batch) == Counter(foreign), found
    assert not in_redis(found.client)
    assert not any(found.client.xlen(key) for key in map(wire.stream_key, wire.QUEUES))
    report = verify(found.settings.local_lake)
    assert report.ok, report.problems


def test_power_lost_at_any_moment_loses_nothing_foreign(new_machine: NewMachine, batches: list[Batch]) -> None:
    machine = new_machine()
    foreign = fill(machine.client, batches[0])
    assert len(foreign) == 6
    ended = machine.run(step(batches[0]))
    assert ended.code == 0, ended.said
    changes = [event for event in machine.journal.events() if isinstance(event, Deleted)]
    assert len(changes) >= 5, "renamed, two keys deleted, and entries of two streams"
    losses = Counter[bool]()
    for found in machine.power_losses(lambda _: True):
        losses[deletes(found.event)] += 1
        assert_nothing_is_lost(found, batches[0], foreign)
    assert losses[True] > len(changes) and losses[False] > 20


@pytest.mark.parametrize("point", DEATHS)
def test_power_lost_after_a_death_and_a_rerun_loses_nothing_foreign(
    new_machine: NewMachine, batches: list[Batch], point: str
) -> None:
    machine = new_machine()
    foreign = fill(machine.client, batches[0])
    assert machine.run(step(batches[0]), at=point).code == -9
    assert machine.proof.startswith(point.partition(":")[0])
    assert machine.run(step(batches[0])).code == 0
    losses = 0
    for losses, found in enumerate(machine.power_losses(deletes), 1):  # noqa: B007 - counted
        assert_nothing_is_lost(found, batches[0], foreign)
    assert losses > 3


def test_a_sync_that_fails_deletes_nothing_foreign_and_the_retry_loses_nothing(
    new_machine: NewMachine, batches: list[Batch]
) -> None:
    machine = new_machine()
    fill(machine.client, batches[0])
    assert machine.run(step(batches[0])).code == 0
    failed = 0
    for number in machine.syncs_of_interest():
        machine = new_machine()
        foreign = fill(machine.client, batches[0])
        ended = machine.run(step(batches[0]), fail_sync=number)
        assert ended.said.startswith("DiskFailed: ") and "\n" not in ended.said, ended
        kept = in_redis(machine.client) | set(in_lake(machine.settings, batches[0]))
        assert foreign <= kept
        ended = machine.run(step(batches[0]))
        assert ended.code == 0, ended.said
        for found in machine.power_losses(lambda event: isinstance(event, Returned)):
            assert_nothing_is_lost(found, batches[0], foreign)
            failed += 1
    assert failed > 6
