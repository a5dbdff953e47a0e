"""Benchmarks: honest rates of the real thing beside a named baseline in the same run. Never run as tests."""
