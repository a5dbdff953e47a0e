"""Record types: one file a family, and the registry that everything else loops over. No I/O."""
