"""A real task whose login Redis refuses, in a real Airflow."""

from __future__ import annotations

from pathlib import Path

from tests.support.warm import Warm


def test_a_wrong_password_fails_the_task_with_one_line(warm_airflow: Warm, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "redis-access" / "pipeline"
    file.write_text("wr0ng-pass")
    done = warm_airflow.airflow(
        *("tasks", "test", "firehose_batch", "drain", "2026-11-23T20:05:00Z"),
        FIREHOSE_LAKE=str(tmp_path / "lake"),
        FIREHOSE_REDIS_URL=redis_url,
        FIREHOSE_REDIS_PASSWORDS=str(file.parent),
    )
    said = done.stdout
    assert "new_state=up_for_retry" in said, said[-2000:]  # the command itself ends well then
    (line,) = [line for line in said.splitlines() if "Redis through an Airflow connection" in line]
    assert f" redis={redis_url}" in line and " connection=firehose_redis" in line
    assert (
        f"ServiceUnavailable: Redis at {redis_url} refuses the login of the user pipeline: {file} must hold the "
        "password that Redis has for this user"
    ) in said
    assert "wr0ng-pass" not in said
