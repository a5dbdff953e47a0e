"""Writes events to Redis: collects them for a flush, decides when to write it, retries, sends the commands.

Lives here: everything in the ingester that knows Redis. Must not: connections to Jetstream, where to resume.
"""
