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


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error code of Azure: what it means for a boot test, and who says so."""

    code: str
    cause: FailureCause
    source: str
    elsewhere: bool = False
    """Whether another size or zone may have what this one lacks."""


_TROUBLESHOOTING: Final = "Microsoft Learn, error messages of virtual machine provisioning"
_ALLOCATION: Final = "Microsoft Learn, troubleshooting of allocation failures"
_RESOURCE_MANAGER: Final = "Microsoft Learn, common deployment errors of Azure Resource Manager"
_C: Final = FailureCause
CODES: Final = (
    ErrorCode("AllocationFailed", _C.PLATFORM, _ALLOCATION, elsewhere=True),
    ErrorCode("ZonalAllocationFailed", _C.PLATFORM, _ALLOCATION, elsewhere=True),
    ErrorCode("OverconstrainedAllocationRequest", _C.PLATFORM, _ALLOCATION, elsewhere=True),
    ErrorCode("OverconstrainedZonalAllocationRequest", _C.PLATFORM, _ALLOCATION, elsewhere=True),
    ErrorCode("ResourceUpdateBlockedOnPlatformUpdate", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("InternalOperationError", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("NetworkingInternalOperationError", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("VMStartTimedOut", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("DiskImageNotReady", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("InternalServerError", _C.PLATFORM, _RESOURCE_MANAGER),
    ErrorCode("InternalExecutionError", _C.PLATFORM, _TROUBLESHOOTING),
    ErrorCode("ServerBusy", _C.PLATFORM, _RESOURCE_MANAGER),
    ErrorCode("TooManyRequests", _C.PLATFORM, "hashicorp/terraform-provider-azurerm#19146"),
    ErrorCode("OperationPreempted", _C.PLATFORM, "Microsoft Learn, preempted and canceled operations of VMs"),
    # SkuNotAvailable is also said of capacity that is short for a while (cloud-hypervisor/cloud-hypervisor#8319).
    ErrorCode("SkuNotAvailable", _C.CONFIGURATION, _RESOURCE_MANAGER, elsewhere=True),
    ErrorCode("InvalidAvailabilityZone", _C.CONFIGURATION, _RESOURCE_MANAGER, elsewhere=True),
    ErrorCode("QuotaExceeded", _C.CONFIGURATION, _RESOURCE_MANAGER, elsewhere=True),
    ErrorCode("NotAvailableForSubscription", _C.CONFIGURATION, "Azure/ARO-RP, pkg/util/azureerrors"),
    ErrorCode("AuthorizationFailed", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("LinkedAuthorizationFailed", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("InvalidParameter", _C.CONFIGURATION, _TROUBLESHOOTING),
    ErrorCode("VMMarketplaceInvalidInput", _C.CONFIGURATION, "openshift/installer#7721"),
    ErrorCode("MarketplacePurchaseEligibilityFailed", _C.CONFIGURATION, "hashicorp/packer#6009"),
    ErrorCode("ResourcePurchaseValidationFailed", _C.CONFIGURATION, "hashicorp/terraform-provider-azurerm#1145"),
    ErrorCode("OperationNotAllowed", _C.CONFIGURATION, "Azure/karpenter-provider-azure#192"),
    ErrorCode("RequestDisallowedByPolicy", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("InvalidResourceReference", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("ResourceGroupNotFound", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("BadRequest", _C.CONFIGURATION, _RESOURCE_MANAGER),
    ErrorCode("GalleryImageNotFound", _C.NOT_REPLICATED, "Azure/AgentBaker#8373"),
    ErrorCode("OSProvisioningClientError", _C.IMAGE, _TROUBLESHOOTING),
    ErrorCode("OSProvisioningTimedOut", _C.AMBIGUOUS, "Azure/azure-cli#29203"),
    # The image often causes it: its agent cannot read the provisioning data.
    ErrorCode("OSProvisioningInternalError", _C.AMBIGUOUS, _TROUBLESHOOTING),
    # The agent is missing, or the subnet lets nothing out.
    ErrorCode("VMAgentStatusCommunicationError", _C.AMBIGUOUS, "Microsoft Learn, troubleshooting of VM extensions"),
)
"""Every code that is known of creating or restarting a machine. Any other code is ambiguous."""
_BY_CODE: Final = {each.code.lower(): each for each in CODES}
_AGENT_SEEN: Final = re.compile(r"guest agent was detected running", re.IGNORECASE)
_NOT_THERE: Final = re.compile(r"gallery ?image .{1,600} is not available in .{1,60} region", re.IGNORECASE | re.DOTALL)
"""Does not match "The requested VM size … is not available in the current region"."""


def lacks_capacity(code: str, message: str) -> bool:
    """Whether another size or zone may have what this one lacks: capacity, or quota.

    A quota that is used up is an ``OperationNotAllowed`` (Azure/karpenter-provider-azure#192).
    """
    known = _BY_CODE.get(code.lower())
    return known is not None and (
        known.elsewhere or (known.code == "OperationNotAllowed" and "quota" in message.lower())
    )


def failure_cause(code: str, message: str) -> FailureCause:
    """The cause of an error of VM creation, by its code and message.

    The sentence about the agent is from Azure/azure-cli#29203.
    """
    if _NOT_THERE.search(message):
        return FailureCause.NOT_REPLICATED
    known = _BY_CODE.get(code.lower())
    if known is not None and known.cause is FailureCause.NOT_REPLICATED:
        return known.cause
    if _AGENT_SEEN.search(message):
        return FailureCause.IMAGE
    return FailureCause.AMBIGUOUS if known is None else known.cause
