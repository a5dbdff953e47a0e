"""`firehose legacy rehearse`: the move from the old system and back, on a made old store, in a home of its own.

Lives here: the steps (steps.py, run.py), the servers and the two systems' data (place.py), and what the views
have to show by the store's own listing (shown.py). Must not: read the settings or the lake of whoever runs it.
"""
