"""The engine's folder: its configuration files, and the preparations before it is opened.

Lives here: writing the files, asking the engine what it has, and the database ``default``. Must not: rights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from clickhouse_http.engine import engine_config
from clickhouse_http.engine.engine_config import Catalog
from clickhouse_http.errors import CannotServe

_PRIVATE: Final = 0o600


def prepare(chdb: Any, folder: Path) -> Catalog:
    """Prepare ``folder`` for :func:`engine_config.config_xml`. Returns what the engine has.

    Raises:
        CannotServe: the engine does not open.
    """
    data = folder / "data"
    config = _written(folder, "bare.xml", engine_config.bare_config_xml())
    if not (data / "metadata" / "default.sql").exists():
        with _opened(chdb, f"{data}?config-file={config}") as connection:
            _plain_default(connection, data / "metadata" / "default")
    # An engine of its own, since opening the data would load every table twice.
    with _opened(chdb, f"{folder / 'catalog'}?config-file={config}") as connection:
        return Catalog(
            settings={name: alias or name for name, alias in _rows(connection, _SETTINGS)},
            system_tables=frozenset(name for (name,) in _rows(connection, _TABLES)),
        )


_SETTINGS: Final = "SELECT name, alias_for FROM system.settings"
_TABLES: Final = "SELECT name FROM system.tables WHERE database = 'system'"


def write(folder: Path, users: str) -> str:
    """Write the configuration. Returns chDB's connection string."""
    path = _written(folder, "users.xml", users)
    main = _written(folder, "config.xml", engine_config.config_xml(str(path)))
    return f"{folder / 'data'}?config-file={main}"


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / "config" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(_PRIVATE)
    return path


def _plain_default(connection: Any, link: Path) -> None:
    """Replace the database ``default``, which chDB lays over the file system, by an ordinary one on disk.

    Where it holds tables, chDB has made ``link``, whose target's name is the database's id: they stay in it.
    """
    connection.query("DETACH DATABASE default")
    if link.is_symlink():
        connection.query(f"ATTACH DATABASE default UUID '{link.readlink().name}' ENGINE = Atomic")
    else:
        connection.query("CREATE DATABASE default ENGINE = Atomic")


@contextmanager
def _opened(chdb: Any, address: str) -> Iterator[Any]:
    try:
        connection = chdb.connect(address)
    except RuntimeError as error:
        raise CannotServe(f"chDB does not open {address.split('?')[0]}: {error}") from None
    try:
        yield connection
    finally:
        connection.close()


def _rows(connection: Any, query: str) -> list[list[str]]:
    return [line.split("\t") for line in connection.query(query, "TabSeparated").bytes().decode().splitlines()]
