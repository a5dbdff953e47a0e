"""The versions of a table: ``metadata/v<n>.metadata.json``, and ``version-hint.text``, which names the latest.

A version is in place once its file is, since its manifests are there before it. Readers that list the folder find
it then, those that go by the hint a moment later. Must not: decide what a table is to hold.
"""

from __future__ import annotations

import re
from typing import Final

from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import CommitTableResponse, Table, TableProperties
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil, new_table_metadata
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
from pyiceberg.table.update import TableRequirement, TableUpdate, update_table_metadata

from firehose.iceberg.lake_io import LakeIO, io_of
from firehose.store import LakePath

METADATA: Final = "metadata"
_VERSION: Final = re.compile(r"v(\d+)\.metadata\.json")
HINT: Final = "version-hint.text"
#: Of Iceberg's two readers of Parquet for Spark this one has long known few encodings; the other one knows all.
_VECTORIZED: Final = "read.parquet.vectorization.enabled"
#: A commit a run: merged once a day, so that a reader opens few manifests.
_MERGED_AT: Final = "24"


class Versions(NoopCatalog):
    """Commits of one table, each a version more. The caller is the only writer."""

    def __init__(self, folder: LakePath) -> None:
        super().__init__(folder.name)
        self._folder = folder

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Write the next version, after the manifests that it names."""
        for requirement in requirements:
            requirement.validate(table.metadata)
        made = update_table_metadata(table.metadata, updates, metadata_location=table.metadata_location)
        path = self._folder / METADATA / f"v{latest(self._folder) + 1}.metadata.json"
        io_of(table).flush()
        path.write(made.model_dump_json(exclude_none=True).encode())
        hint(self._folder)
        return CommitTableResponse.model_validate({"metadata": made, "metadata-location": path.uri})


def hint(folder: LakePath) -> None:
    """Let the hint name the latest version: a run may have died before it did."""
    path, said = folder / METADATA / HINT, str(latest(folder)).encode()
    if not (path.exists() and path.read_bytes() == said):
        path.write(said)


def latest(folder: LakePath) -> int:
    """The number of a table's latest version; 0: it has none."""
    found = (_VERSION.fullmatch(path.name) for path in (folder / METADATA).find("v*.metadata.json"))
    return max((int(match[1]) for match in found if match), default=0)


def opened(folder: LakePath) -> Table | None:
    """The table as it is; None: it is of a lake that lay elsewhere.

    Raises:
        FileNotFoundError: there is none.
        ValueError, ValidationError: its latest version is damaged.
    """
    path = folder / METADATA / f"v{latest(folder)}.metadata.json"
    metadata = TableMetadataUtil.parse_raw(path.read_bytes().decode())
    return _table(folder, metadata, path.uri) if metadata.location == folder.uri else None


def new(folder: LakePath, schema: Schema, partitions: PartitionSpec) -> Table:
    """A table without a version; its first commit makes one."""
    mapping = create_mapping_from_schema(assign_fresh_schema_ids(schema))
    properties = {
        TableProperties.FORMAT_VERSION: "2",
        TableProperties.DEFAULT_NAME_MAPPING: mapping.model_dump_json(),
        TableProperties.MANIFEST_MIN_MERGE_COUNT: _MERGED_AT,
        _VECTORIZED: "false",
    }
    metadata = new_table_metadata(schema, partitions, UNSORTED_SORT_ORDER, folder.uri, properties)
    return _table(folder, metadata, "")


def _table(folder: LakePath, metadata: TableMetadata, location: str) -> Table:
    return Table((folder.name,), metadata, location, LakeIO(folder), Versions(folder))
