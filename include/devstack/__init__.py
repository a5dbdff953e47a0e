"""A whole pipeline on one machine: its services, `firehose demo`, `firehose once` and the benchmarks."""
