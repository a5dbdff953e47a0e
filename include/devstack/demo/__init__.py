"""`firehose demo`: the whole pipeline on embedded services, with one command, on one machine, without root."""
