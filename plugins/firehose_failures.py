"""What becomes of a task that has failed: is it run again, is somebody told, and when is that over?

Lives here: the retry policy and the callbacks of all DAGs. Must not: pipeline logic, or a heavy import, since
every parse of a DAG file runs this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from airflow.sdk import Context, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowFailException

RETRIES: Final = 5
#: How long a run waits for an ingester that is away, try by try.
_SILENCE_WAITS_S: Final = (20, 60, 120, 240, 480)


class PipelineRetries(RetryPolicy):
    """Retries errors that may pass with time. Others fail at once, so that they do not delay other runs."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Airflow asks this in the task's process, once a failure."""
        from firehose import errors
        from firehose.settings import SettingsError

        hopeless = errors.CorruptBatch | errors.CorruptLake | errors.LakeOutdated | errors.PoisonFlood
        hopeless |= errors.CorruptBackup | errors.RestoreUnfinished | errors.UnknownShape
        if isinstance(exception, hopeless | SettingsError):
            return RetryDecision.fail("the same input fails again: an operator has to act")
        if isinstance(exception, errors.NotListening):
            # Once the ingester is back, the next try records the gap and skips the run: so an outage of a quarter
            # of an hour leaves no failed run. A longer one leaves those of its last quarter. Clearing raises
            # max_tries.
            waited = try_number - (max_tries - RETRIES) - 1
            if waited < len(_SILENCE_WAITS_S):
                return RetryDecision.retry(timedelta(seconds=_SILENCE_WAITS_S[max(waited, 0)]))
            return RetryDecision.fail("nothing was heard")
        return RetryDecision.default()


class RefusedRun(AirflowFailException):
    """A run triggered by hand whose interval is not that of a batch: nothing of the pipeline has failed."""


def alert(context: Context) -> None:
    """Airflow calls this in the failed task's process (or in the DAG processor, where that one is gone)."""
    from firehose_hooks import send_mail

    from firehose.alerts import task_failed

    if not isinstance(context.get("exception"), RefusedRun):  # who has triggered it sees the red run
        task_failed(context, send_mail)


def lower(context: Context) -> None:
    """Airflow calls this in the process of a task that has succeeded or was skipped: its alert is over."""
    from firehose_hooks import send_mail

    from firehose.alerts import task_succeeded

    task_succeeded(context, send_mail)
