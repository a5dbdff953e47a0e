"""What the ingester shares with whoever reads its streams: the one room that other packages import from.

Lives here: queues, keys and frames, gap records, settings, Redis logins and scripts, crash points. Must not:
import any other room, or know Jetstream.
"""
