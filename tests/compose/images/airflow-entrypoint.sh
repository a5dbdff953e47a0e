#!/bin/bash
# The official image's: `bash` and `python` are themselves, any other word is a command of Airflow.
set -eu
umask 0002
case "${1:-}" in
  bash | python) exec "$@" ;;
  airflow) exec "$@" ;;
  *) exec airflow "$@" ;;
esac
