"""`arm_calls`: the number of ARM requests of a release, divided by the minimum that is needed to get the same facts.

The minimum counts each fact once, as if the time of every change were known in advance. It contains no request that
finds "not yet", although some are unavoidable, so the ratio includes the cost of polling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from local.bench.figures import Figure
from local.bench.release_run import COPIED, RINGS, ReleaseRun
from shared.domain.policy import Ahead

BOUND: Final = 1.5

VALIDATION: Final[Mapping[str, int]] = {
    "read the version": 1,
    "read its definition": 1,  # OS type, OS state, generation and architecture
    "read its gallery": 1,  # soft delete is turned on, or the gallery is being deleted
    "read its source": 1,  # it exists and has the same OS state
    "read the definition of the copies": 1,  # it must exist and match before any work starts
    "list the versions of the definition": 1,  # a number below a published one, reuse of a source, the limit
    "list the galleries of the subscription": 1,  # the limit; once an hour for all releases of a process
    "read the Activity Log of the version": 1,  # who created it
}
SIZES: Final[Mapping[str, int]] = {
    "list the sizes of the region": 1,  # restrictions and zones are regional; the smoke test's region is a ring's
}
BOOT_TEST: Final[Mapping[str, int]] = {
    "create the machine": 1,  # with NIC and disks in one request
    "see it ready": 1,  # one instance view has provisioning, agent, parts and tags
    "start the probe": 1,
    "read the probe's answer": 1,
    "find the console's log": 1,  # the log is read from storage, not from ARM
    "restart the machine": 1,
    "see it ready again": 1,
    "start the probe again": 1,
    "read its answer": 1,
    "find the console's log after the restart": 1,  # its address may have changed
    "delete the machine": 1,  # its tags were read with its instance view
    "see the machine gone": 1,
    "see its disk gone": 1,
    "see its NIC gone": 1,
}
TARGETS: Final[Mapping[str, int]] = {
    "read the target regions": 1,  # under the lease, before the write: no ETag; law 4 (no region is dropped)
    "write the merged target regions": 1,
}
REPLICAS: Final[Mapping[str, int]] = {"see every region complete": 1}
COPY: Final[Mapping[str, int]] = {
    "see that there is none": 1,  # a PUT on an existing version would replace its regions
    "see that the source is what was proven": 1,  # the number can be reused, law 2 (nothing promoted without proof)
    "write the copy": 1,
    "see every region complete": 1,
}
PUBLICATION: Final[Mapping[str, int]] = {
    "read the version with its replicas": 1,  # lists have no replication state
    "list the versions": 1,  # to predict latest in every region, law 3 (latest never goes backwards)
    "clear excludeFromLatest": 1,
    "list the versions again": 1,  # to verify latest
}
PROOF_OF_COPY: Final[Mapping[str, int]] = {"see that the copy's source is what was proven": 1}


def least(ahead: Ahead = Ahead.NONE) -> dict[str, int]:
    """The minimum number of requests of a clean release through ``RINGS``, by purpose.

    With every ring filled at once, one write has the regions of all rings in a gallery.
    """
    regions = sum(len(each) for each in RINGS.values())
    copied = sum(name == COPIED for name in RINGS)
    sourced = len(RINGS) - copied
    writes = 1 if ahead is Ahead.ALL else sourced
    return {
        "validation": sum(VALIDATION.values()) + regions * sum(SIZES.values()),
        "boot tests": (1 + regions) * sum(BOOT_TEST.values()),
        "replicas": writes * sum(TARGETS.values()) + sourced * sum(REPLICAS.values()) + copied * sum(COPY.values()),
        "publication": len(RINGS) * sum(PUBLICATION.values()) + copied * sum(PROOF_OF_COPY.values()),
    }


def arm_calls(release_run: ReleaseRun) -> Figure:
    """The figure for one release run."""
    fewest = least(release_run.ahead)
    throttled = [call for call in release_run.calls if call["status"] == 429]
    return Figure(
        value=len(release_run.calls) / sum(fewest.values()),
        relation="<=",
        bound=BOUND,
        unit="ratio",
        within=not throttled,
        parts={
            "ahead": release_run.ahead,
            "calls": len(release_run.calls),
            "least": sum(fewest.values()),
            "least_by_purpose": fewest,
            "calls_by_purpose": by_purpose(release_run),
            "calls_by_operation": dict(sorted(Counter(call["operation"] for call in release_run.calls).items())),
            "throttled": len(throttled),
            "throttled_operations": sorted({call["operation"] for call in throttled}),
        },
        notes=("there is no fault plan, so every 429 means that the app exceeded a documented rate limit",),
    )


def by_purpose(release_run: ReleaseRun) -> dict[str, int]:
    """The number of requests by purpose. Machines exist only for boot tests."""
    found: Counter[str] = Counter()
    for call in release_run.calls:
        found[_purpose(call)] += 1
    return dict(found)


def _purpose(call: Mapping[str, Any]) -> str:
    operation = call["operation"]
    if operation.startswith(("VirtualMachine", "Disks_", "NetworkInterfaces_")):
        return "boot tests"
    return "versions" if operation.startswith("GalleryImageVersions_") else "validation and copy"
