"""``@step``: a task of this project, which ends with one line that a person can read.

Lives here: what happens around a task's function. Must not: pipeline logic, or a heavy import, since every parse
of a DAG file runs this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from airflow.providers.standard.decorators.python import _PythonDecoratedOperator
from airflow.sdk.bases.decorator import task_decorator_factory
from airflow.sdk.exceptions import AirflowSkipException
from firehose_failures import RefusedRun
from firehose_links import LINKS
from firehose_notes import SAID

from ingester.contract.logs import get_logger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import Task, TaskDecorator

P = ParamSpec("P")
R = TypeVar("R")

log = get_logger(__name__)


class Step(_PythonDecoratedOperator):
    """A function as a task."""

    custom_operator_name = "@step"
    operator_extra_links = LINKS
    _returned: Any = None

    def execute(self, context: Context) -> Any:
        """Run the function.

        An error of this project says what is wrong and what to do. Airflow opens a failed task's log at the first
        error of a chain, such as a time limit of a socket, which is not ours: so what led to ours is left out, and
        named in one line.
        """
        from firehose.errors import FirehoseError
        from firehose.settings import SettingsError, redacted

        try:
            self._returned = super().execute(context)
            return self._returned
        except AirflowSkipException as skipped:
            _say(context, f"skipped: {skipped}")
            raise
        except (FirehoseError, SettingsError) as error:
            said = redacted(f"{type(error).__name__}: {error}")
            cause = error.__cause__ or error.__context__
            log.error(said, because=redacted(f"{type(cause).__name__}: {cause}") if cause else None)
            _say(context, said)
            raise error from None
        except RefusedRun as refused:
            _say(context, f"refused: {refused}")
            raise
        except Exception as error:
            _say(context, redacted(f"{type(error).__name__}: {error}"))
            raise

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What the task read and wrote. Only Airflow's OpenLineage provider asks, and only where that is on."""
        from firehose_lineage import lineage

        return lineage(task_instance.get_template_context()["dag_run"], self.task_id, self._returned)


def _say(context: Context, said: str) -> None:
    context["ti"].xcom_push(key=SAID, value=said)


@overload
def step(function: Callable[P, R]) -> Task[P, R]: ...
@overload
def step(**options: Any) -> TaskDecorator: ...
def step(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a task of a function. ``options`` are those of Airflow's ``@task``."""
    return task_decorator_factory(python_callable=function, decorated_operator_class=Step, **options)
