# The ingester alone: no Airflow, no pandas. Build context: the repository's root.
FROM python:3.11.15-slim-bookworm

COPY ingester/requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt
COPY ingester /app/ingester
COPY docker/ingester_health.py /app/ingester_health.py
# The checkout may have been made by somebody who lets nobody else read files (umask 077).
RUN chmod -R a+rX /app

WORKDIR /app
USER 10001:10001
ENV PYTHONUNBUFFERED=1
CMD ["python", "-m", "ingester"]
