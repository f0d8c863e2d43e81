"""``python -m shared.cli`` runs ``ringmaster``."""

from shared.cli import main

main()
