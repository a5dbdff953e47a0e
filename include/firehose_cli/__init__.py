"""The ``firehose`` command: one module a command, which parses options, calls the package and prints."""
