"""Airflow as others see it: its web interface, and the pools that it needs.

Must not: import Airflow.
"""
