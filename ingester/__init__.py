"""The ingester: Jetstream in, Redis Streams out. It knows nothing of Airflow, Parquet or ClickHouse."""
