"""What tasks read and wrote, as datasets of OpenLineage: Redis, raw batches, staged rows, hour files, tables.

Lives here: names by OpenLineage's specification, counts, quality. Airflow's provider asks ``@step`` for
it, and sends it, only where it has been given a transport. Must not: be imported otherwise, send anything, hold
an event's text.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attr
import msgspec
from airflow.providers.openlineage.extractors.base import OperatorLineage
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import RunFacet
from openlineage.client.generated import base_subset_dataset as subset
from openlineage.client.generated.data_quality_assertions_dataset import (
    Assertion,
    DataQualityAssertionsDatasetFacet,
)
from openlineage.client.generated.data_quality_metrics_input_dataset import DataQualityMetricsInputDatasetFacet
from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from firehose.areas import Area
from firehose.batch import manifest as manifests
from firehose.batch.interval import Batch
from firehose.batch.manifest import Manifest
from firehose.errors import CorruptBatch
from firehose.lake import records
from firehose.lake.ledger import entry_path, read_entry
from firehose.quality.outcome import ValidateResult
from firehose.records.registry import BY_QUEUE
from firehose.settings import Settings, load
from firehose.store import Place
from firehose.warehouse.plan import SUMMARIES
from ingester.contract import wire

if TYPE_CHECKING:
    from airflow.sdk.types import DagRunProtocol as DagRun

#: The tables that a refresh writes beside the summaries, by batches: those of events.
_EVENTS: Final = "ops.events"


@attr.define
class BatchRunFacet(RunFacet):
    """The batch that a task was for: docs/operations.md, "OpenLineage"."""

    batch: str
    start: str
    end: str

    @staticmethod
    def _get_schema() -> str:
        return "urn:bluesky-firehose:openlineage:1-0-0:BatchRunFacet"


def lineage(run: DagRun, task: str, returned: Any) -> OperatorLineage[Any, Any]:
    """The lineage of a task: ``returned`` is its result; None: it has none, so nothing is said of data.

    Raises:
        CorruptBatch, CorruptLake: what it has left in the lake cannot be read.
    """
    settings = load()
    if run.dag_id == "firehose_summaries" and returned:
        return _of_refresh(settings, returned["batches"])
    if run.dag_id != "firehose_batch" or not run.data_interval_start or not run.data_interval_end:
        return OperatorLineage()
    batch = Batch.of(run.data_interval_start, run.data_interval_end)
    facet = BatchRunFacet(batch.id, batch.start.isoformat(), batch.end.isoformat())
    inputs, outputs = _OF_TASK[task](Places(settings), settings, batch) if returned else ([], [])
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets={"firehose_batch": facet})


def _of_refresh(settings: Settings, batches: Iterable[str]) -> OperatorLineage[Any, Any]:
    """What a refresh has loaded."""
    places, stored = Places(settings), defaultdict[str, int](int)
    for name in batches:
        entry = read_entry(entry_path(settings.lake_path, Batch.parse(name, 1)))
        for record_type, counts in entry.counts.items() if entry else ():
            stored[record_type] += counts.stored
    if not stored:
        return OperatorLineage()
    tables = [_EVENTS, *(summary.table for summary in SUMMARIES if summary.types & stored.keys())]
    return OperatorLineage(
        inputs=[_read(places.hours(name), rows) for name, rows in sorted(stored.items())],
        outputs=[
            _written(places.table(name), sum(stored.values()) if name == _EVENTS else None) for name in tables
        ],
    )


class Places:
    """Namespaces and names, by OpenLineage's naming. A partition is a part of a dataset, and not one itself."""

    def __init__(self, settings: Settings) -> None:
        redis, clickhouse = urlsplit(settings.redis_url), urlsplit(settings.clickhouse_url)
        self._redis = f"redis://{redis.hostname}:{redis.port or 6379}"
        self._clickhouse = f"clickhouse://{clickhouse.hostname}:{clickhouse.port or 8123}"
        if settings.lake_is_remote:
            place = Place.of(settings.lake)
            self._lake, self._root = f"s3://{place.bucket}", place.prefix
        else:
            self._lake, self._root = "file", str(settings.local_lake)

    def queue(self, name: str) -> Dataset:
        """A queue's stream in Redis."""
        return Dataset(self._redis, wire.stream_key(name))

    def raw(self, queue: str) -> Dataset:
        """The raw files of a queue."""
        return self._of_lake(f"{Area.RAW}/{queue}.jsonl.zst")

    def staged(self, record_type: str) -> Dataset:
        """The good rows of a type that wait to be published."""
        return self._of_lake(f"{Area.STAGED}/{record_type}.parquet")

    def quarantine(self) -> Dataset:
        """The events that were set aside."""
        return self._of_lake(f"{Area.QUARANTINE}/quarantine.parquet")

    def hours(self, record_type: str) -> Dataset:
        """The hour files of a type."""
        return self._of_lake(f"{record_type}.parquet")

    def table(self, name: str) -> Dataset:
        """A table of ClickHouse: ``database.table``."""
        return Dataset(self._clickhouse, name)

    def _of_lake(self, path: str) -> Dataset:
        return Dataset(self._lake, f"{self._root}/{path}")


def _drain(places: Places, settings: Settings, batch: Batch) -> tuple[list[InputDataset], list[OutputDataset]]:
    folder, queues = manifests.folder_of(settings.lake_path, batch), _manifest(settings, batch).queues
    return (
        [_read(places.queue(name), queue.events, queue.size) for name, queue in queues.items()],
        [
            _written(places.raw(name), queue.events, queue.size, [(folder / queue.name).uri])
            for name, queue in queues.items()
        ],
    )


def _validate(places: Places, settings: Settings, batch: Batch) -> tuple[list[InputDataset], list[OutputDataset]]:
    folder = batch.folder(settings.lake_path, Area.QUALITY)
    result = msgspec.json.decode((folder / "result.json").read_bytes(), type=ValidateResult)
    said = _assertions(msgspec.json.decode(gzip.decompress((folder / "suites.json.gz").read_bytes())))
    inputs = []
    for name, queue in _manifest(settings, batch).queues.items():
        types = [of.name for of in BY_QUEUE[name]]
        quality = {
            "dataQualityMetrics": DataQualityMetricsInputDatasetFacet(
                columnMetrics={}, rowCount=queue.events, bytes=queue.size, fileCount=1
            ),
            "dataQualityAssertions": DataQualityAssertionsDatasetFacet(
                [one for record_type in types for one in said.get(record_type, ())]
            ),
        }
        inputs.append(_read(places.raw(name), queue.events, queue.size, **quality))
    outputs = [_written(places.staged(name), counts.good) for name, counts in result.counts.items()]
    return inputs, [*outputs, _written(places.quarantine(), result.quarantined)]


def _publish(places: Places, settings: Settings, batch: Batch) -> tuple[list[InputDataset], list[OutputDataset]]:
    lake = settings.lake_path
    entry = read_entry(entry_path(lake, batch))
    if entry is None:
        return [], []
    files = defaultdict(list)
    for file in entry.files:
        files[file.record_type].append(file.path(lake))
    outputs = []
    for record_type, paths in files.items():
        sizes = [record.bytes for path in paths if (record := records.read(path).now)]
        stored = entry.counts[record_type].stored
        outputs.append(_written(places.hours(record_type), stored, sum(sizes), [path.uri for path in paths]))
    return [_read(places.staged(name), counts.good) for name, counts in entry.counts.items()], outputs


#: What reads the lineage of each task of ``firehose_batch``.
_OF_TASK: Final[dict[str, Callable[[Places, Settings, Batch], tuple[list[InputDataset], list[OutputDataset]]]]] = {
    "drain": _drain,
    "validate": _validate,
    "publish": _publish,
}


def _manifest(settings: Settings, batch: Batch) -> Manifest:
    found = manifests.read(manifests.folder_of(settings.lake_path, batch))
    if found is None:
        raise CorruptBatch(f"batch {batch.id} has no manifest")
    return found


def _assertions(suites: list[dict[str, Any]]) -> dict[str, list[Assertion]]:
    """What Great Expectations said, by suite, which is a type's or one slice's of it. No value of an event."""
    found: dict[str, dict[tuple[str, str | None], bool]] = defaultdict(dict)
    for suite in suites:
        for one in suite["expectations"]:
            key, of_type = (one["type"], one["kwargs"].get("column")), found[re.split("[-.]", suite["suite"])[0]]
            of_type[key] = of_type.get(key, True) and one["success"]
    return {
        name: [Assertion(assertion=kind, success=success, column=column) for (kind, column), success in of.items()]
        for name, of in found.items()
    }


def _read(of: Dataset, rows: int, size: int | None = None, **facets: Any) -> InputDataset:
    facets["inputStatistics"] = InputStatisticsInputDatasetFacet(rowCount=rows, size=size)
    return InputDataset(of.namespace, of.name, inputFacets=facets)


def _written(
    of: Dataset, rows: int | None, size: int | None = None, paths: list[str] | None = None
) -> OutputDataset:
    facets: dict[str, Any] = {}
    if rows is not None:
        count = len(paths) if paths else None
        facets["outputStatistics"] = OutputStatisticsOutputDatasetFacet(rowCount=rows, size=size, fileCount=count)
    if paths:
        where = subset.LocationSubsetCondition(locations=paths)
        facets["subset"] = subset.OutputSubsetOutputDatasetFacet(outputCondition=where)
    return OutputDataset(of.namespace, of.name, outputFacets=facets)
