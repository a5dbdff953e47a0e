"""``firehose legacy``: the commands about the old system's data. One file a command."""
