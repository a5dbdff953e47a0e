"""Raw batches: a manifest that says so stands for the files, once every event is provably covered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.maintenance.facts import Backup, HourFacts, Policy, RawFacts
from firehose.maintenance.fate import fate
from firehose.maintenance.survey import Survey
from firehose.maintenance.tiers.base import OfBatch, Refusal
from firehose.store import LakePath


class Raws(OfBatch):
    """Raw files. Whether they may go is decided again just before, by what the lake holds then."""

    def __init__(
        self, lake: LakePath, policy: Policy, by: str, backup: Backup | None, clock: Callable[[], datetime]
    ) -> None:
        super().__init__(lake)
        self._policy, self._by, self._backup, self._clock = policy, by, backup, clock
        self._sound: dict[str, bool] = {}

    def paths(self, batch: Batch) -> list[LakePath]:
        """The raw files of a batch."""
        return manifests.folder_of(self.lake, batch).find("*.zst")

    def prepare(self, batch: Batch, log: str) -> Refusal | None:
        """Let the manifest say that they are gone, if everything in them is covered."""
        folder = manifests.folder_of(self.lake, batch)
        manifest, raw = manifests.read(folder), Survey(self.lake, self._backup).raw(folder, 0)
        if manifest is None or raw is None:
            return Refusal("its manifest is gone")
        if manifest.expired:
            return None
        goes, why, alarming = fate(raw, self._policy, self._clock())
        if not goes:
            return Refusal(why or "its time is not over", alarming)
        if wrong := next((hour for hour in raw.hours if not self._is_sound(hour)), None):
            return Refusal(f"{wrong.name} does not have the bytes that its record says", alarming=True)
        expired = manifests.Expired(
            at=datetime.now(UTC),
            by=self._by,
            audit=log,
            manifest_sha256=(folder / manifests.NAME).sha256(),
            source_differs=_source_differs(raw),
        )
        manifests.expire(folder, manifest, expired)
        return None

    def _is_sound(self, hour: HourFacts) -> bool:
        """Tell whether the file has all the bytes on record: read in full, once in a run."""
        proof = hour.verified
        if proof is None:
            return False
        name = f"{hour.name} {proof.sha256}"
        if name not in self._sound:
            path = hour.file.path(self.lake)
            self._sound[name] = path.exists() and path.sha256() == proof.sha256
        return self._sound[name]


def _source_differs(raw: RawFacts) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for record_type, digests in _digests(raw):
        found.setdefault(record_type, []).extend(digests)
    return found


def _digests(raw: RawFacts) -> Iterator[tuple[str, list[str]]]:
    for hour in raw.hours:
        if (proof := hour.verified) and (digests := proof.source_differs.get(raw.batch)):
            yield hour.file.record_type, digests
