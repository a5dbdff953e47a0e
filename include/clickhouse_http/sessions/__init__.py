"""What outlasts a request: sessions, and the slots and memory that each user's queries have.

Must not: HTTP, SQL.
"""
