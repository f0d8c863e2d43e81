"""The boot test: facts about a machine that was created from the image, and the causes of failures.

Rules:

* A test passes only on positive proof: provisioning succeeded, the agent is ready, the probe echoed this test's nonce
  and completed every check, and the console shows no failure. A test that did not run never passes.
* A platform failure (no capacity, an internal error) is no verdict on the image: the test is repeated.
* With "OS Provisioning did not finish … However, the VM guest agent was detected running", Azure reports an image that
  was not generalized. This is final. Without the second sentence, a timeout is ambiguous: the test is repeated once,
  and the second timeout rejects the version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The part of a machine's instance view that the boot test needs."""

    name: str
    provisioning_state: str
    """Creating, Updating, Succeeded, Failed, Deleting."""
    os_provisioned: bool = False
    """``ProvisioningState/succeeded`` among the statuses."""
    running: bool = False
    agent_ready: bool = False
    agent: str = ""
    """The agent's status text."""
    failure_code: str | None = None
    """The code behind ``ProvisioningState/failed/<code>``."""
    failure_message: str = ""
    parts: tuple[str, ...] = ()
    """Resource ids of the machine, its disks and NICs."""
    provisioned_in: timedelta | None = None
    """How long provisioning took by Azure's own clock; None while it is not known."""

    @property
    def ready(self) -> bool:
        return self.os_provisioned and self.running and self.agent_ready


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """A managed run command's instance view."""

    execution_state: str
    """Unknown, Pending, Running, Succeeded, Failed, TimedOut, Canceled."""
    exit_code: int | None = None
    output: str = ""
    error: str = ""
    provisioning_state: str = ""
    failure: str = ""

    @property
    def finished(self) -> bool:
        return self.execution_state.lower() in {"succeeded", "failed", "timedout", "canceled"}


class FailureCause(StrEnum):
    """The cause of a boot failure."""

    IMAGE = "image"
    AMBIGUOUS = "ambiguous"
    PLATFORM = "platform"
    CONFIGURATION = "configuration"
    NOT_REPLICATED = "not replicated"


_PLATFORM: Final = {
    "allocationfailed",
    "zonalallocationfailed",
    "overconstrainedallocationrequest",
    "overconstrainedzonalallocationrequest",
    "resourceupdateblockedonplatformupdate",
    "internaloperationerror",
    "networkinginternaloperationerror",
    "vmstarttimedout",
    "diskimagenotready",
    "internalservererror",
    "internalexecutionerror",
    "serverbusy",
}
_CONFIGURATION: Final = {
    "skunotavailable",
    "invalidavailabilityzone",
    "quotaexceeded",
    "notavailableforsubscription",
    "authorizationfailed",
    "linkedauthorizationfailed",
    "invalidparameter",
    "vmmarketplaceinvalidinput",
    "operationnotallowed",
    "requestdisallowedbypolicy",
    "invalidresourcereference",
    "badrequest",
    "resourcegroupnotfound",
    "marketplacepurchaseeligibilityfailed",
    "resourcepurchasevalidationfailed",
}
_AGENT_SEEN: Final = re.compile(r"guest agent was detected running", re.IGNORECASE)
_NOT_THERE: Final = re.compile(r"gallery ?image .{1,600} is not available in .{1,60} region", re.IGNORECASE | re.DOTALL)
"""Does not match "The requested VM size … is not available in the current region"."""


_NO_CAPACITY: Final = {
    "allocationfailed",
    "zonalallocationfailed",
    "overconstrainedallocationrequest",
    "overconstrainedzonalallocationrequest",
    "skunotavailable",
    "quotaexceeded",
    "invalidavailabilityzone",
}


def lacks_capacity(code: str, message: str) -> bool:
    """Whether another size or zone may have what this one lacks: capacity, or quota.

    ``SkuNotAvailable`` is also said of capacity that is short for a while (cloud-hypervisor/cloud-hypervisor#8319). A
    quota that is used up is an ``OperationNotAllowed`` (Azure/karpenter-provider-azure#192).
    """
    lowered = code.lower()
    return lowered in _NO_CAPACITY or (lowered == "operationnotallowed" and "quota" in message.lower())


def failure_cause(code: str, message: str) -> FailureCause:
    """The cause of an error of VM creation, by its code and message.

    Codes: Azure's troubleshooting article on error messages; the sentence about the agent: Azure/azure-cli#29203.
    """
    lowered = code.lower()
    if lowered == "galleryimagenotfound" or _NOT_THERE.search(message):
        return FailureCause.NOT_REPLICATED
    if lowered == "osprovisioningclienterror" or _AGENT_SEEN.search(message):
        return FailureCause.IMAGE
    if lowered in {"osprovisioningtimedout", "osprovisioninginternalerror", "vmagentstatuscommunicationerror"}:
        # The image often causes OSProvisioningInternalError: its agent cannot read the provisioning data.
        return FailureCause.AMBIGUOUS
    if lowered in _CONFIGURATION:
        return FailureCause.CONFIGURATION
    if lowered in _PLATFORM:
        return FailureCause.PLATFORM
    return FailureCause.AMBIGUOUS
