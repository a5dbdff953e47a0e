"""Connections: HTTP/1.1 within limits of size and time, which hosts and pages are answered, floods of warnings.

Must not: ClickHouse.
"""
