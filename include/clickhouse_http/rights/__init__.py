"""The two users: their logins, what they may do, and how much of the machine their queries may use.

Must not: HTTP, the engine, which enforces most of it.
"""
