"""Running one statement: whether it is allowed, what it will give, and its result as a stream of bytes.

Must not: HTTP.
"""
