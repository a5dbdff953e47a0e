"""The Firehose page: what the pipeline is like, as web pages behind somebody else's login.

Lives here: routes, templates, style, charts. Figures come from ``firehose.observe`` and the lake's own files.
Must not: know Airflow (plugins/firehose_web.py serves it there), change anything.
"""
