# Airflow with the pipeline in it. Build context: the repository's root.
FROM apache/airflow:3.3.2-python3.11

USER root
# A named volume takes the owner of the folder that it is first mounted on.
RUN install -d -o airflow -g 0 -m 0755 /lake /opt/airflow/auth /opt/airflow/exporter

USER airflow
# The lock decides every version, hashes included. It has no embedded ClickHouse or Redis: both are services of their own here.
# It stays in the image, where `firehose doctor` compares what is installed with it.
COPY --chown=airflow:0 docker/airflow-requirements.txt /opt/airflow/requirements.txt
RUN pip install --no-cache-dir --no-deps -r /opt/airflow/requirements.txt

COPY --chown=airflow:0 ingester /opt/airflow/ingester
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 plugins /opt/airflow/plugins
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 docker/airflow-init.sh docker/airflow-clean.sh /opt/airflow/docker/
COPY --chown=airflow:0 docker/firehose /opt/airflow/bin/firehose
# The checkout may have been made by somebody who lets nobody else read files (umask 077).
RUN chmod -R a+rX /opt/airflow/ingester /opt/airflow/include /opt/airflow/plugins /opt/airflow/dags /opt/airflow/docker /opt/airflow/requirements.txt \
    && chmod 0755 /opt/airflow/bin /opt/airflow/bin/firehose
# The plugins too: Airflow imports its secrets backend before it knows of its plugins.
ENV PYTHONPATH=/opt/airflow:/opt/airflow/include:/opt/airflow/plugins \
    PATH=/opt/airflow/bin:$PATH
