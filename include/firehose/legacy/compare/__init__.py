"""Compares the old system's records with the lake's, by type and day, and keeps what came out.

Lives here: the two sides, their matching by URI in partitions on disk, results and their page. Must not: change
either side.
"""
