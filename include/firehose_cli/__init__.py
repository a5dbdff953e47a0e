"""The ``firehose`` command, on top of every other package. Nothing imports it.

One module a command: it declares the options, calls one function of a package, and prints what that returns.
Heavy imports are inside the command, so that `--help` answers at once. ``app`` groups the commands for the help,
``ending`` turns expected errors into one line, ``console`` prints tables, and ``lake`` reads lakes, hours and
types from the command line. Must not: any step of the pipeline.
"""
