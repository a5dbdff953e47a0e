"""Backfill of gaps from the archive of a Jetstream v2 host: client, file format, and the writing to Redis."""
