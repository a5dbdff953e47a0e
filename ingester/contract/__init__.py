"""The contract between the ingester and the readers of its streams: the only package that others import.

Lives here: queues, keys and frames, gap records, settings, Redis logins and scripts, crash points, logs.
Must not: import the ingester's other packages, or know Jetstream.
"""
