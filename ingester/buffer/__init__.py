"""The way into Redis: the events of a flush, when it is written, the retries, the commands.

Lives here: everything of the ingester that knows Redis. Must not: connections to Jetstream, where to resume.
"""
