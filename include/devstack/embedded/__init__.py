"""Launchers of the services that one machine runs for itself: Redis, the ingester, Airflow.

Must not: logic of the pipeline.
"""
