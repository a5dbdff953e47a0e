"""The pipeline as services of systemd on one machine: what `firehose service` writes, asks and takes back.

Must not: run a service itself, know what one does.
"""
