"""The Bluesky firehose pipeline: batches, quality, the Parquet lake and its ClickHouse queries."""
