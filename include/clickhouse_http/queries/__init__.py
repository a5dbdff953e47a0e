"""Running one statement: its permission, its plan, and its result as a stream of bytes.

Must not: HTTP.
"""
