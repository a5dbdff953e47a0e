"""ClickHouse's engine (chDB) served over ClickHouse's HTTP interface by one process; see README.md.

Lives here: the public API. Must not: anything about the schema or the pipeline; a ClickHouse server replaces this
package one for one.
"""

from clickhouse_http.config import EndpointConfig
from clickhouse_http.errors import EndpointError, FolderInUse
from clickhouse_http.ownership import LOCK, Ownership, own
from clickhouse_http.process import EndpointProcess, start

__all__ = ["LOCK", "EndpointConfig", "EndpointError", "EndpointProcess", "FolderInUse", "Ownership", "own"]
__all__ += ["serve", "start"]


def serve(config: EndpointConfig) -> None:
    """Serve in this process until SIGTERM or SIGINT, then leave the process with exit code 0.

    Prints ``listening on URL`` to standard output when it is ready; all else goes to the log. The process is then
    confined to the files that it needs, which cannot be undone.

    Raises:
        EndpointError: it cannot start: a wrong configuration, a taken port, a folder in use or not usable.
    """
    from clickhouse_http import server  # here, since who starts a process needs neither uvicorn nor the engine

    server.serve(config)
