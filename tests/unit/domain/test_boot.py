"""When a machine is ready, and whose fault it is when it isn't."""

from dataclasses import replace

import pytest

from shared.domain.boot import FailureCause, MachineFacts, ProbeFacts, failure_cause

READY = MachineFacts("rm-0", "Succeeded", os_provisioned=True, running=True, agent_ready=True)
TIMED_OUT = "OS Provisioning for VM 'rm-0' did not finish in the allotted time."


def test_a_machine_is_ready_when_provisioned_running_and_with_its_agent():
    assert READY.ready


@pytest.mark.parametrize("missing", ["os_provisioned", "running", "agent_ready"])
def test_a_machine_that_lacks_one_of_the_three_is_not_ready(missing):
    assert not replace(READY, **{missing: False}).ready


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "TimedOut", "Canceled", "succeeded"])
def test_a_probe_is_finished_in_a_final_state(state):
    assert ProbeFacts(state).finished


@pytest.mark.parametrize("state", ["Unknown", "Pending", "Running", ""])
def test_a_probe_is_not_finished_in_any_other_state(state):
    assert not ProbeFacts(state).finished


@pytest.mark.parametrize(
    ("code", "message", "whose"),
    [
        ("OSProvisioningClientError", "", FailureCause.IMAGE),
        # The platform's own word for an image that was never generalized (Azure/azure-cli#29203).
        (
            "OSProvisioningTimedOut",
            f"{TIMED_OUT} However, the VM guest agent was detected running.",
            FailureCause.IMAGE,
        ),
        ("OSProvisioningTimedOut", f"{TIMED_OUT} The VM may still finish provisioning.", FailureCause.AMBIGUOUS),
        ("VMAgentStatusCommunicationError", "", FailureCause.AMBIGUOUS),
        ("OSProvisioningInternalError", "", FailureCause.AMBIGUOUS),
        ("AllocationFailed", "", FailureCause.PLATFORM),
        ("ZonalAllocationFailed", "", FailureCause.PLATFORM),
        ("internalexecutionerror", "", FailureCause.PLATFORM),
        ("SkuNotAvailable", "", FailureCause.CONFIGURATION),
        (
            "OperationNotAllowed",
            "results in exceeding approved standardDSv5Family Cores quota",
            FailureCause.CONFIGURATION,
        ),
        ("AuthorizationFailed", "", FailureCause.CONFIGURATION),
        ("InvalidParameter", "Parameter 'osProfile' is not allowed.", FailureCause.CONFIGURATION),
        ("GalleryImageNotFound", "", FailureCause.NOT_REPLICATED),
        (
            "NotFound",
            "The gallery image /subscriptions/s/…/versions/1.0.0 is not available in westus2 region.",
            FailureCause.NOT_REPLICATED,
        ),
        (
            "InvalidParameter",
            "The requested VM size Standard_D2 is not available in the current region.",
            FailureCause.CONFIGURATION,
        ),
        ("SomethingNew", "", FailureCause.AMBIGUOUS),
    ],
)
def test_the_blame_for_an_error_is_given_by_its_code_and_words(code, message, whose):
    assert failure_cause(code, message) is whose
