"""Jetstream: hosts and their URLs, connections, compression, and both protocols' event shapes.

Lives here: everything that knows the protocol. Must not: Redis, and where or when to resume (position).
"""
