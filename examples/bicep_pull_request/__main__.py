"""``python -m examples.bicep_pull_request OWNER/NAME PATH --parameter NAME --ring RING < event.json``.

The token is read from ``GITHUB_TOKEN``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from examples.bicep_pull_request.github import Repository
from examples.bicep_pull_request.handler import on_published
from examples.events import NotForUs


def main() -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.bicep_pull_request", description=__doc__)
    parser.add_argument("repository", help="owner/name")
    parser.add_argument("path", help="the .bicepparam file in the repository")
    parser.add_argument("--parameter", default="imageId", help="the parameter that holds the image's resource id")
    parser.add_argument("--ring", required=True, help="the ring to follow")
    options = parser.parse_args()
    repository = Repository(options.repository, os.environ["GITHUB_TOKEN"])
    try:
        branch = on_published(
            json.load(sys.stdin), repository, path=options.path, parameter=options.parameter, ring=options.ring
        )
    except NotForUs as reason:
        sys.stdout.write(f"ignored: {reason}\n")
    else:
        sys.stdout.write(f"pull request from {branch}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
