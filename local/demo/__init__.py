"""The demo: several image versions from their event to their verdict, on the local stack."""
