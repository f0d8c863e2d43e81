"""`python -m local.azurite install`: install Azurite where the local stack looks for it."""

import argparse
import sys
import time

from local.azurite.install import InstallError, default_target, ensure_installed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.azurite", description=__doc__)
    parser.add_argument("action", choices=["install"])
    parser.parse_args()
    began = time.monotonic()
    try:
        ensure_installed()
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Azurite is installed in {default_target()} ({time.monotonic() - began:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
