"""Backup and restore: lake, Redis, ClickHouse's tables, Airflow's metadata, settings without secrets.

A backup is a place (:mod:`firehose.backup.target`) with objects named by their content
(:mod:`firehose.backup.objects`) and sets, each the state of one moment (:mod:`firehose.backup.sets`). A set exists
once its own file does, which is written last. Must not: decide what of the lake may be removed.
"""
