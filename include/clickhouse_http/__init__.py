"""The embedded ClickHouse: chDB served over ClickHouse's HTTP interface by one process.

Lives here: the HTTP interface, its two users and their rights, and running it as a child process.
Must not: anything about the lake, the schema or the pipeline; a ClickHouse server replaces it one for one.
"""
