"""``firehose bench``: runs a benchmark and prints its figures."""

import signal

import typer

from firehose_cli.bench import answers, pipeline

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _stop_what_was_started() -> None:
    """Measure the pipeline on this machine, beside a baseline in the same run."""
    # SIGTERM ends a benchmark as Ctrl-C does: what it has started is stopped, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


for command in (
    pipeline.ingest,
    pipeline.batch,
    pipeline.storage,
    answers.query,
    answers.cookbook,
    pipeline.layout,
    pipeline.recovery,
    pipeline.catchup,
    pipeline.legacy,
    pipeline.restore,
    answers.search,
    answers.concurrency,
    answers.page,
    answers.hostile,
    pipeline.listing,
):
    app.command()(command)
