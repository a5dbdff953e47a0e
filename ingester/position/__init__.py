"""Where to resume, and what may be missing: decisions only.

Lives here: positions, the choice of host and cursor, dropout detection, the search past an oversize message, gaps.
Must not: I/O, clocks, connections.
"""
