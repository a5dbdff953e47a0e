"""What the ingester counts where it sets aside, gives up, or records a gap: each path, and each reason, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingester import manifests
from ingester.buffer.buffers import Buffer, BufferV2
from ingester.buffer.exchange import Claim
from ingester.buffer.writer import Writer
from ingester.contract import counting, metrics
from ingester.contract.gap import Reason
from ingester.contract.losses import LossPath
from ingester.contract.resyncs import Resyncs
from ingester.contract.settings import IngesterSettings
from ingester.jetstream.events_v2 import SourceNotice
from ingester.jetstream.hosts import Host
from ingester.position.dropout import DropoutDetector
from ingester.position.gaps import OUTAGE_S, Gaps
from ingester.position.partial_hosts import PartialHosts
from ingester.position.position import LIVE, AfterEvent, Position
from ingester.source import Source
from tests.support.ingester import event

HOST = Host("ws://b/subscribe", "b", "v1")
BEFORE = AfterEvent(1000, 1000, "a", "v1")


class Delivery:
    """What a writer needs of one to forget its events: it keeps the position."""

    position: Position = LIVE
    lease_ms = 1000

    def set_position(self, position: Position) -> None:
        self.position = position


@pytest.fixture(autouse=True)
def counts() -> Iterator[None]:
    """A process counts from 0 on."""
    counting._COUNTS.clear()
    yield
    counting._COUNTS.clear()


def full_writer() -> Writer:
    """A writer with three events in memory."""
    writer = Writer(Delivery(), Gaps(), DropoutDetector(), IngesterSettings())  # type: ignore[arg-type]
    for number in range(3):
        writer.buffer.add(event(number))
    return writer


def corrupt_lake(folder: Path) -> Path:
    manifest = folder / "_raw" / "date=2026-11-23" / "batch=20261123T200000Z" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    return folder


PATHS: dict[str, tuple[Callable[[Path], object], LossPath, float]] = {
    "no event": (lambda _: Buffer().add(b"no event"), LossPath.DEAD_LETTER, 1),
    "forged": (lambda _: Buffer().add(b'{"kind":"#undecodable","time_us":1}'), LossPath.DEAD_LETTER, 1),
    "not to be decompressed": (lambda _: Buffer().reject(b"x", ValueError()), LossPath.DEAD_LETTER, 1),
    "no frame of v2": (lambda _: BufferV2().add(b"no frame"), LossPath.DEAD_LETTER, 1),
    "a notice": (
        lambda _: Source(IngesterSettings(), Gaps(), DropoutDetector()).noticed(SourceNotice("Hello", "you")),
        LossPath.NOTICE,
        1,
    ),
    "another position": (lambda _: full_writer().restart(BEFORE), LossPath.FORGOTTEN, 3),
    "a stop that Redis did not let finish": (lambda _: full_writer().abandon(), LossPath.UNWRITTEN, 3),
    "a cursor that is no number": (
        lambda _: Claim.read("x", "a", "v1", "", "", "", "", ""),
        LossPath.STATE_UNREADABLE,
        1,
    ),
    "open gaps that are not": (
        lambda _: Claim.read("1", "a", "v1", "", "", "{", "", ""),
        LossPath.STATE_UNREADABLE,
        1,
    ),
    "a history of another version": (
        lambda _: PartialHosts(DropoutDetector(), Gaps()).adopt(b"{", LIVE, 1),
        LossPath.STATE_UNREADABLE,
        1,
    ),
    "sync events of another version": (lambda _: Resyncs().learn(b"{"), LossPath.STATE_UNREADABLE, 1),
    "a manifest that is cut off": (
        lambda folder: manifests.last_drained(corrupt_lake(folder), datetime(2026, 11, 23, 21, tzinfo=UTC)),
        LossPath.MANIFEST_UNREADABLE,
        1,
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_each_path_of_losses_is_counted(name: str, tmp_path: Path) -> None:
    act, path, times = PATHS[name]
    act(tmp_path)
    assert counting.counted(metrics.LOSSES) == {path.code: times}


GAPS: dict[Reason, Callable[[Gaps], object]] = {
    Reason.LATE: lambda gaps: gaps.resumed(BEFORE, 1500, HOST, 2000, 0.0, Reason.LATE),
    Reason.REFUSED: lambda gaps: gaps.resumed(BEFORE, 1500, HOST, 2000, 0.0, Reason.REFUSED),
    Reason.OUTAGE: lambda gaps: gaps.resumed(BEFORE, 0, HOST, 2000, OUTAGE_S + 1, Reason.LATE),
    Reason.STALL: lambda gaps: gaps.begin(Reason.STALL, BEFORE, 2000),
    Reason.OVERSIZE: lambda gaps: gaps.begin(Reason.OVERSIZE, BEFORE, 2000),
    Reason.REDIS_LOST: lambda gaps: gaps.begin(Reason.REDIS_LOST, BEFORE, 2000),
    Reason.PARTIAL: lambda gaps: gaps.partial(HOST, "likes", 1000, 2000, 3000),
}


@pytest.mark.parametrize("reason", GAPS)
def test_each_reason_of_a_gap_is_counted(reason: Reason) -> None:
    GAPS[reason](Gaps())
    assert counting.counted(metrics.GAPS_NOTED) == {reason: 1}


def test_the_rest_of_the_reasons_are_the_drains() -> None:
    assert set(Reason) - set(GAPS) == {Reason.NOT_LISTENING}
