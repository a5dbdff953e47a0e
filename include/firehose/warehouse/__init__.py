"""ClickHouse: the connection, its schema, the views over the lake, and the summary tables."""
