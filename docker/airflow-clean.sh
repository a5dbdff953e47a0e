#!/usr/bin/env bash
# Once a day: removes old runs from Airflow's database, as the timer bluesky-firehose-airflow-clean does without containers.
set -euo pipefail

while true; do
  if firehose clean-airflow --do; then
    touch /tmp/cleaned
  else
    echo "airflow-clean: the next try is in a day" >&2
  fi
  sleep 86400
done
