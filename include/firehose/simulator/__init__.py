"""A Jetstream v1 and v2 server for demos, tests and benchmarks, with made-up or replayed events.

Lives here: making events, the retained tape, and the websocket server. Must not: anything of the pipeline.
"""
