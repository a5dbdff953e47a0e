"""The errors of the endpoint's own: why it does not start or stop. Each message is one line.

Must not: ClickHouse's exceptions, which are for clients (exceptions).
"""

from __future__ import annotations


class EndpointError(Exception):
    """The base of all of them. The message says what, where, and what to do about it."""


class InvalidConfig(EndpointError):
    """The configuration is incomplete, or names something that the endpoint cannot do."""


class CannotServe(EndpointError):
    """Something on this machine is in the way: a taken port, a folder, the kernel, the engine."""


class FolderInUse(CannotServe):
    """Another process has the folder."""
