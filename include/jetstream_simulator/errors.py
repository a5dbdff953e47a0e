"""The errors that the simulator raises on purpose. Each message says what, where, and what to do about it."""

from __future__ import annotations


class SimulatorError(Exception):
    """Shown as one line; the command exits with 1."""
