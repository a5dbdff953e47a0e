"""``firehose explain``: what an error, an alert, an exit code or a code of ClickHouse means, and what to do."""
