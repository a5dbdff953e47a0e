#!/usr/bin/env bash
# Once a day: removes from Airflow's database what is older than AIRFLOW_KEEP_DAYS days. The last run of each DAG stays, so that
# the scheduler goes on from there; what was published is in the lake's ledger. DAG firehose_maintenance removes old log files.
set -euo pipefail

while true; do
  before=$(date --utc --date "$AIRFLOW_KEEP_DAYS days ago" +%Y-%m-%dT%H:%M:%SZ)
  # What was removed is kept in no second table, and locks are short.
  if airflow db clean --clean-before-timestamp "$before" --skip-archive --batch-size 10000 --error-on-cleanup-failure --yes; then
    touch /tmp/cleaned
  else
    echo "airflow-clean: rows from before $before were not all removed (above: why); the next try is in a day" >&2
  fi
  sleep 86400
done
