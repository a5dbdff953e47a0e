# clickhouse/clickhouse-server: the project's embedded endpoint, which is the same engine, behind the official entrypoint's
# steps, user clickhouse (101). It stands in for the server and nothing else does. Build context: the repository's root.
FROM localhost/stand-in-base
RUN groupadd --gid 101 clickhouse && useradd --uid 101 --gid 101 --no-create-home clickhouse \
    && apt-get update && apt-get install --yes --no-install-recommends wget \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && install -d -o clickhouse -g clickhouse /var/lib/clickhouse /var/log/clickhouse-server /etc/clickhouse-server
COPY requirements-uv.txt requirements.txt /tmp/
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements-uv.txt \
    && SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt uv pip install --system --no-cache --no-deps -r /tmp/requirements.txt
COPY ingester /opt/project/ingester
COPY include /opt/project/include
COPY tests/compose/images/clickhouse-entrypoint.py /entrypoint.py
RUN chmod -R a+rX /opt/project /entrypoint.py
ENV PYTHONPATH=/opt/project:/opt/project/include PYTHONUNBUFFERED=1
VOLUME /var/lib/clickhouse
ENTRYPOINT ["python", "-P", "/entrypoint.py"]
