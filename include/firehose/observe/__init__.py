"""What the pipeline is like now, read from Redis, lake, ClickHouse, disks and Airflow.

For alerts, the exporter, ``firehose status`` and pages. Each part is cheap and bounded however large the lake is,
and read though another cannot be. Must not: judge what it reads, write anything.
"""

from firehose.observe.snapshot import DAY, PARTS, Observer, Snapshot, quick_client

__all__ = ["DAY", "PARTS", "Observer", "Snapshot", "quick_client"]
