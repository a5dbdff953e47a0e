"""A whole pipeline on one machine: embedded services, `firehose demo`, `firehose once` and the benchmarks.

The names below are what other code may use (README.md). They are imported when they are first asked for, since
``devstack.embedded.leash``, which starts before every service, needs the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from devstack.embedded.airflow import prepare_airflow_home
    from devstack.embedded.ingester import ingester_process
    from devstack.embedded.redis import RedisServer, free_port

__all__ = ["RedisServer", "free_port", "ingester_process", "prepare_airflow_home"]

_MODULES: Final = {
    "RedisServer": "redis",
    "free_port": "redis",
    "ingester_process": "ingester",
    "prepare_airflow_home": "airflow",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"devstack.embedded.{_MODULES[name]}"), name)
