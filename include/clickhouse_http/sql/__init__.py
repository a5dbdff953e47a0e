"""SQL as text and as the engine's syntax tree: the kind of a statement, and the names in it.

Must not: calls into chDB, rights.
"""
