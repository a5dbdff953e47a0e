"""Maintenance of a lake: which hours to verify, what to remove because its time is over, and doing so on record.

What is removed is covered elsewhere, or its retention says that nobody wants it any more. Must not: remove ledger
entries, records of hours, manifests, records of gaps, or the audit log.
"""
