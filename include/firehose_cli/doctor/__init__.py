"""``firehose doctor``: looks at everything that the pipeline needs, and says what is wrong and what to do.

One module for each subject, each with a few small checks; ``catalogue`` is the list of all. No check changes
anything, but for a probe file in the lake.
"""
