"""The walk of Cloud Custodian: its own command line, told of another cloud. Prints one line of JSON for every policy.

Custodian knows Azure's public clouds alone; what is changed of it is the address of the public one.
"""

# pyright: reportMissingImports=false
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml


def walk(file: Path) -> None:
    """Run every policy of a file by itself, each in a process of its own."""
    with tempfile.TemporaryDirectory() as output:
        for policy in yaml.safe_load(file.read_text())["policies"]:
            command = [sys.executable, __file__, "--custodian", "run", "-s", output, "-p", policy["name"], str(file)]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            found = Path(output) / policy["name"] / "resources.json"
            count = len(json.loads(found.read_text())) if found.exists() else 0
            wanted = policy.get("metadata", {}).get("finds", 1)
            ok = ended.returncode == 0 and count == wanted
            words = f"{count} found" if ok else f"{count} found, not {wanted}: {ended.stderr.strip()[-400:]}"
            print(json.dumps({"step": policy["description"], "ok": ok, "words": words}), flush=True)


def custodian(words: list[str]) -> None:
    """Custodian's own command, with another address for the public cloud."""
    from c7n.cli import main
    from msrestazure.azure_cloud import AZURE_PUBLIC_CLOUD

    arm = os.environ["ARM_ENDPOINT"]
    AZURE_PUBLIC_CLOUD.endpoints.resource_manager = arm
    AZURE_PUBLIC_CLOUD.endpoints.active_directory_resource_id = f"{arm}/"
    AZURE_PUBLIC_CLOUD.endpoints.management = f"{arm}/"
    sys.argv = ["custodian", *words]
    main()


if __name__ == "__main__":
    if sys.argv[1] == "--custodian":
        custodian(sys.argv[2:])
    else:
        walk(Path(sys.argv[1]))
