"""Jetstream v2 on top of the same tape: ``subscribeEvents``, its dictionary, and the archive calls.

Lives here: everything that v1 has not. Must not: the tape, the feed, and v1's ``/subscribe``.
"""
