#!/usr/bin/env bash
# Runs once before Airflow's services, and changes nothing when it runs again: login, database, pools.
set -euo pipefail

umask 077
python - <<'PYTHON'
import json, os, pathlib

path = pathlib.Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
path.write_text(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))
PYTHON
airflow db migrate
airflow pools import /opt/airflow/include/firehose/airflow/pools.json
