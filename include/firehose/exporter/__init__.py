"""The exporter: what Prometheus reads of the whole pipeline, from what Redis, lake and ClickHouse hold.

Lives here: ``firehose metrics``. Must not: judge (rules do), write to lake or Redis, or do work for a scrape:
it looks at its own pace, and a scrape gets what was seen last.
"""
