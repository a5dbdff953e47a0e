"""The import of an old system's data: its files become lines by day, each day a batch.

Must not: read a store (firehose.legacy.stores), validate or publish in a way of its own.
"""
