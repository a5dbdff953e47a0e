"""``firehose clean-airflow``: removes old runs from Airflow's database, for a timer each day. Thin."""

from __future__ import annotations

from typing import Annotated

import typer


def clean_airflow(
    do: Annotated[bool, typer.Option("--do", help="Remove them; without it they are only counted.")] = False,
) -> None:
    """Remove runs from Airflow's database that are older than FIREHOSE_KEEP_LOGS_DAYS, as their logs are.

    It needs the environment of an Airflow service (AIRFLOW_HOME). `airflow db clean` does it. The last run of each
    DAG stays. In the compose file and with systemd it runs each day.
    """
    from datetime import UTC, datetime

    from firehose.airflow.cleaning import clean, oldest_kept
    from firehose.settings import load

    before = oldest_kept(load(), datetime.now(UTC))
    if before is None:
        typer.echo("nothing is removed: FIREHOSE_KEEP_LOGS_DAYS is 0", err=True)
        return
    clean(before, do=do)
    done = "were removed" if do else "were counted; --do removes them"
    typer.echo(f"runs from before {before:%FT%TZ} {done}", err=True)
