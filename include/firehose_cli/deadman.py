"""``firehose deadman``: the check from outside of Airflow, for a systemd timer or cron. Thin."""

from __future__ import annotations

import typer


def deadman() -> None:
    """Look once from outside of Airflow, for a timer each minute: is the monitor alive, and is all well?

    Prints a line for each problem. Exit status 1 if there is one. It alerts about Airflow and the monitor; about
    all else only while the monitor does not run, so that nothing is told twice.
    """
    from firehose.alerts.smtp import mailer
    from firehose.monitor.run import deadman as check
    from firehose.settings import load

    settings = load()
    _, problems = check(settings, mailer(settings))
    for problem in problems:
        typer.echo(problem)
    raise typer.Exit(1 if problems else 0)
