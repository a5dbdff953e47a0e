"""Which errors pass and which end the process: every answer that Redis gives, and every error that is raised."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import redis
from redis._parsers.base import BaseParser

import ingester
from ingester import errors
from ingester.buffer.refusals import of_error
from ingester.contract.redis_access import RedisAccess
from ingester.errors import SinkRefused, SinkUnavailable

ACCESS = RedisAccess("redis://127.0.0.1:6379/0", "ingester", Path("redis-access/ingester"))
#: Errors as Redis sends them, and as a script passes them on.
PASSING = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory",
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "ERR max number of clients reached",
]
FOR_GOOD = [
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "ERR invalid password",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "ERR unknown command 'XADD'",
    "ERR Protocol error: invalid bulk length",
    "CLUSTERDOWN Hash slot not served",
]


def reply(text: str) -> redis.RedisError:
    """The exception that the client makes of an error reply."""
    error = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]  # redis gives no type
    assert isinstance(error, redis.RedisError)
    return error


@pytest.mark.parametrize("text", PASSING)
def test_what_passes_is_tried_again(text: str) -> None:
    assert isinstance(of_error(reply(text), ACCESS), SinkUnavailable)


@pytest.mark.parametrize("text", FOR_GOOD)
def test_what_waiting_cannot_mend_ends_the_process(text: str) -> None:
    said = of_error(reply(text), ACCESS)
    assert isinstance(said, SinkRefused) and "\n" not in str(said)


@pytest.mark.parametrize("kind", [redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError])
def test_a_connection_that_fails_is_tried_again(kind: type[redis.RedisError]) -> None:
    assert isinstance(of_error(kind("gone\naway"), ACCESS), SinkUnavailable)


def own_errors() -> dict[str, type[Exception]]:
    """Every exception that a module of the ingester defines."""
    modules = [import_module(found.name) for found in walk_packages(ingester.__path__, "ingester.")]
    classes = [one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)]
    return {one.__name__: one for one in classes if issubclass(one, Exception) and "ingester." in one.__module__}


def test_every_error_either_ends_the_process_with_its_code_or_is_handled_within() -> None:
    raised = own_errors()
    ends = {name: one.exit_code for name, one in raised.items() if issubclass(one, errors.IngesterError)}
    assert ends == {
        "IngesterError": errors.UNWRITTEN,
        "Fenced": errors.FENCED,
        "Superseded": errors.SUPERSEDED,
        "SourceRefused": errors.REFUSED,
        "SinkRefused": errors.REFUSED,
        "Unwritten": errors.UNWRITTEN,
        "LakeOutdated": errors.UNWRITTEN,
    }
    # A new one of these has to be caught somewhere: else it would end the process with a traceback.
    assert raised.keys() - ends.keys() == {
        *("SinkUnavailable", "StateLost"),
        *("Disconnected", "SourceNotice", "Restart"),
        *("Forged", "NotAnEvent", "TooLarge", "DictionaryUnavailable"),
        "SettingsError",  # it ends the process with a code of its own, errors.SETTINGS
    }
