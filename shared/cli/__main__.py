"""``python -m shared.cli`` is ``ringmaster``."""

from shared.cli import main

main()
