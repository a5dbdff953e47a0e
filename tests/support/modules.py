"""Imports every module of a package, so that a test sees all classes that there are."""

from __future__ import annotations

import pkgutil
from importlib import import_module


def import_all(*packages: str) -> None:
    """Import them; what is a program (``__main__``) is left out."""
    for name in packages:
        for found in pkgutil.walk_packages(import_module(name).__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                import_module(found.name)
