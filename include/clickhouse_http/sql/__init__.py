"""SQL as text and as the engine's syntax tree: what a statement is, and what it mentions.

Must not: calls into chDB, rights.
"""
