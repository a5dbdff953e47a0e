"""The lake: hour files of Parquet that are always whole, and the ledger that says which batch is in them."""
