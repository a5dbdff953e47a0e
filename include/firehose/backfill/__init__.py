"""Healing of gaps from the archive of a Jetstream v2 host: its client, its file format, and the way into Redis."""
