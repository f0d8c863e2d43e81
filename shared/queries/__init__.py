"""Read-only queries on the ledger. They return plain data."""
