"""A look at live events, from a host or from Redis, without any effect on the pipeline."""
