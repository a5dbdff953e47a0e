# apache/airflow without Airflow, which the project's lock installs whole: user airflow (50000:0), its folders,
# its entrypoint's commands, pip that installs for that user, curl and Postgres' client programs.
FROM localhost/stand-in-base
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client dumb-init \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --gid 0 --create-home --shell /bin/bash airflow \
    && install -d -o airflow -g 0 -m 0775 /opt/airflow /opt/airflow/logs /opt/airflow/dags /opt/airflow/plugins
COPY --chmod=0755 airflow-entrypoint.sh /entrypoint
USER airflow
ENV LANG=C.UTF-8 HOME=/home/airflow AIRFLOW_HOME=/opt/airflow PATH=/home/airflow/.local/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /opt/airflow
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]
