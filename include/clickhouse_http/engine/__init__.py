"""chDB: its configuration files, its connections, its parser, and the memory of temporary tables.

Must not: HTTP, requests.
"""
