"""Formats as bytes: compression, ClickHouse's blocks, Native by version, Arrow, joining chunks of a result.

Must not: I/O, the engine.
"""
