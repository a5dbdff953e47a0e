"""Jetstream v2 on top of the same event log: ``subscribeEvents``, its dictionary, and the archive calls.

Lives here: everything that v1 does not have. Must not: the event log, the feed, and v1's ``/subscribe``.
"""
