"""The way of one request from its login to the end of its answer, and what all requests share.

Must not: SQL, calls into chDB.
"""
