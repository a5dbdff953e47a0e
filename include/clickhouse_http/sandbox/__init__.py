"""The kernel's sandbox (Landlock), and which files the endpoint needs in it.

Must not: ClickHouse.
"""
