"""What a client asks: URL, headers, form and body as values, with the files behind large bodies.

Must not: answers, the engine.
"""
