"""Benchmarks: rates of the real pipeline beside a named baseline in the same run. They are not tests."""
