"""Batches: one interval of the buffer, copied out of Redis byte for byte and described by a manifest."""
