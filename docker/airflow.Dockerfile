# Airflow with the pipeline in it. Build context: the repository's root.
FROM apache/airflow:3.3.2-python3.11

USER root
# A named volume takes the owner of the folder that it is first mounted on.
RUN install -d -o airflow -g 0 -m 0755 /lake /opt/airflow/auth

USER airflow
COPY requirements.txt docker/airflow-requirements.txt /tmp/
# The lock decides every version, hashes included; the second file is what only Postgres needs.
RUN pip install --no-cache-dir -r /tmp/requirements.txt \
    && pip install --no-cache-dir --no-deps -r /tmp/airflow-requirements.txt

COPY --chown=airflow:0 ingester /opt/airflow/ingester
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 --chmod=0755 docker/airflow-init.sh /opt/airflow/docker/airflow-init.sh
# The plugins too: Airflow imports its secrets backend before it knows of its plugins.
ENV PYTHONPATH=/opt/airflow:/opt/airflow/include:/opt/airflow/plugins
