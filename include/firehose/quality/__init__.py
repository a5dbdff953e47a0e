"""Quality: one set of rules splits good rows from bad, and the same rules are the Great Expectations suites."""
