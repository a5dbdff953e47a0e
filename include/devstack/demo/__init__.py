"""The demo: the whole pipeline on embedded services, one command, one machine, no root."""
