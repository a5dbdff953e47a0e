"""The page for readers: a small server that asks ClickHouse as the analyst, and a bundle of scripts that shows it.

Must not: know more than an analyst may, write anything, load anything from another host.
"""
