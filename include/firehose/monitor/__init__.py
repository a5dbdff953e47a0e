"""The watch: judges what :mod:`firehose.observe` sees, and lets alerts begin, last and end.

Lives here: the conditions, a run of the monitor, and the check from outside of Airflow. Must not: read the
pipeline (observe does), know Airflow.
"""
