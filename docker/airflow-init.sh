#!/usr/bin/env bash
# Runs once before Airflow's services, and changes nothing when it runs again: lake, login, database, pools.
set -euo pipefail

# A lake in a folder of the host has that folder's owner, not the image's.
case $FIREHOSE_LAKE in
  *://*) ;;
  *) if ! [ -w "$FIREHOSE_LAKE" ] || ! [ -x "$FIREHOSE_LAKE" ]; then
       echo "airflow-init: the lake $FIREHOSE_LAKE belongs to $(stat -c %u:%g "$FIREHOSE_LAKE"), and the containers write it as" \
         "$(id -u):$(id -g): on the host, chown -R $(id -u):$(id -g) the folder that is mounted there" >&2
       exit 1
     fi ;;
esac
umask 077
python - <<'PYTHON'
import json, os, pathlib

path = pathlib.Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
path.write_text(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))
PYTHON
airflow db migrate
airflow pools import /opt/airflow/include/firehose/airflow/pools.json
