"""What the ledger says, as plain data. Queries change nothing."""
