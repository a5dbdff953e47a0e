#!/bin/sh
# The official image's steps for a data folder that is empty: initdb, a temporary server that listens on no address, the
# database, then the server itself. The pause is what an initialisation takes on a slow disk: a health check must not be deceived.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb --encoding=UTF8 --locale=C.UTF-8 --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust > /dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -o "-c listen_addresses=" -w start
  psql --username "$POSTGRES_USER" --dbname postgres --command "CREATE DATABASE $POSTGRES_DB"
  sleep "${STAND_IN_PAUSE_S:-0}"
  pg_ctl -m fast -w stop
fi
exec "$@" -c listen_addresses='*'
