"""Comparing two Jetstream hosts: whether both sent the same events of an hour."""
