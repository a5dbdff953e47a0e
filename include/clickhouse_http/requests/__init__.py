"""A request as values: its URL, headers, form and body, and the files behind large bodies.

Must not: answers, the engine.
"""
