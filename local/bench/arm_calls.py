"""`arm_calls`: the requests to ARM of one release, divided by the fewest from which the same facts can be had.

The least counts each fact once, as somebody would who knew every moment at which to ask: no look that finds "not yet"
is among them, although nobody can do quite without those. So the ratio shows what waiting costs, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from local.bench.figures import Figure
from local.bench.release_run import COPIED, RINGS, ReleaseRun

BOUND: Final = 1.5

VALIDATION: Final[Mapping[str, int]] = {
    "read the version": 1,
    "read its definition": 1,  # OS type and state, generation, architecture
    "read its gallery": 1,  # a gallery with soft delete, or in deletion
    "read its source": 1,  # still there, of the same OS state
    "read the definition of the copies": 1,  # must exist and agree before any work is spent
}
BOOT_TEST: Final[Mapping[str, int]] = {
    "create the machine": 1,  # NIC and disks inline: one write
    "see it ready": 1,  # provisioning, agent, parts and tags come with one instance view
    "start the probe": 1,
    "read the probe's answer": 1,
    "find the console's log": 1,  # the log itself is read from storage, not from ARM
    "delete the machine": 1,  # its tags were seen with its readiness
    "see the machine gone": 1,
    "see its disk gone": 1,
    "see its NIC gone": 1,
}
REPLICAS: Final[Mapping[str, int]] = {
    "read the target regions": 1,  # under the lease, at once before the write: there is no ETag (law 4)
    "write the merged target regions": 1,
    "see every region complete": 1,
}
COPY: Final[Mapping[str, int]] = {
    "see that there is none": 1,  # a PUT on what is there would set its regions anew
    "see that the source is what was proven": 1,  # its number can be used again (law 2)
    "write the copy": 1,
    "see every region complete": 1,
}
PUBLICATION: Final[Mapping[str, int]] = {
    "read the version with its replicas": 1,  # lists carry no replication status
    "list the versions": 1,  # predict latest in every region (law 3)
    "clear excludeFromLatest": 1,
    "list the versions again": 1,  # read back what latest is now
}
PROOF_OF_COPY: Final[Mapping[str, int]] = {"see that the copy's source is what was proven": 1}


def least() -> dict[str, int]:
    """The fewest requests of a clean release through ``RINGS``, by what they are for."""
    regions = sum(len(each) for each in RINGS.values())
    copied = sum(name == COPIED for name in RINGS)
    return {
        "validation": sum(VALIDATION.values()),
        "boot tests": (1 + regions) * sum(BOOT_TEST.values()),
        "replicas": (len(RINGS) - copied) * sum(REPLICAS.values()) + copied * sum(COPY.values()),
        "publication": len(RINGS) * sum(PUBLICATION.values()) + copied * sum(PROOF_OF_COPY.values()),
    }


def arm_calls(release_run: ReleaseRun) -> Figure:
    """The figure of one release run."""
    fewest = least()
    throttled = [call for call in release_run.calls if call["status"] == 429]
    return Figure(
        value=len(release_run.calls) / sum(fewest.values()),
        relation="<=",
        bound=BOUND,
        unit="ratio",
        within=not throttled,
        parts={
            "calls": len(release_run.calls),
            "least": sum(fewest.values()),
            "least_by_purpose": fewest,
            "calls_by_purpose": by_purpose(release_run),
            "calls_by_operation": dict(sorted(Counter(call["operation"] for call in release_run.calls).items())),
            "throttled": len(throttled),
            "throttled_operations": sorted({call["operation"] for call in throttled}),
        },
        notes=("no fault plan is in force, so every 429 would be a documented bucket that the app itself had emptied",),
    )


def by_purpose(release_run: ReleaseRun) -> dict[str, int]:
    """The requests made, by what they are about: machines are the boot tests' alone."""
    found: Counter[str] = Counter()
    for call in release_run.calls:
        found[_purpose(call)] += 1
    return dict(found)


def _purpose(call: Mapping[str, Any]) -> str:
    operation = call["operation"]
    if operation.startswith(("VirtualMachine", "Disks_", "NetworkInterfaces_")):
        return "boot tests"
    return "versions" if operation.startswith("GalleryImageVersions_") else "validation and copy"
