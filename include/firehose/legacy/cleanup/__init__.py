"""Removes the old system's files once that is safe: moved aside, restorable until a date, then removed for good.

The one part of the project that changes anything in the old system's folders. Lives here: what may go (plan.py),
the trash (trash.py), and both together, on record (run.py).
"""
