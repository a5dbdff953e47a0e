"""Sessions, and the slots and memory of each user's queries: state that outlasts a request.

Must not: HTTP, SQL.
"""
