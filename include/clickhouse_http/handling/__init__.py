"""Handling one request from its login to the end of its answer, and the state that all requests share.

Must not: SQL, calls into chDB.
"""
