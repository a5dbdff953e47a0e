"""The data of the system that this one replaces: read, brought over, compared, and removed once that is safe.

What that system had on its disk, and what it never kept, is in docs/migration.md. Must not: write into its folders
(but for the cleanup, which is asked for by name).
"""
