"""Documents that are generated from the code: ``python -m local.docs [--check]``."""
