"""The two users: who they are, what they may do, and how much of the machine their queries may use.

Must not: HTTP; enforcing what the engine enforces.
"""
