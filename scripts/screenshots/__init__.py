"""Pictures of the Firehose page for README and docs: ``make screenshots``."""
