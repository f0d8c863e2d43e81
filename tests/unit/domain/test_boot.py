"""When a machine is ready, and whose fault it is when it isn't."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.domain.boot_test.failures import CODES, FailureCause, MachineFacts, ProbeFacts, failure_cause

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


@pytest.mark.parametrize(
    "code", ["ResourceGroupNotFound", "MarketplacePurchaseEligibilityFailed", "ResourcePurchaseValidationFailed"]
)
def test_terms_and_groups_are_yours_to_correct(code):
    assert failure_cause(code, "") is FailureCause.CONFIGURATION


def test_every_code_is_in_the_table_once_and_has_a_source():
    assert len({each.code.lower() for each in CODES}) == len(CODES)
    assert all(each.source for each in CODES)


_CLASSES = {
    "Platform": FailureCause.PLATFORM,
    "Config/quota": FailureCause.CONFIGURATION,
    "Not yet replicated": FailureCause.NOT_REPLICATED,
    "Suspect image": FailureCause.IMAGE,
    "Ambiguous": FailureCause.AMBIGUOUS,
}


def test_the_codes_that_azures_documentation_names_have_the_causes_that_it_gives(real_data: Path):
    """A list of codes by cause, collected from Azure's troubleshooting articles and from reports of users."""
    listed = real_data.parent / "azure-facts.md"
    if not listed.is_file():
        pytest.skip(f"needs {listed}")
    found = dict(_classified(listed.read_text(encoding="utf-8")))
    # Reports of users show images that cause it.
    assert found.pop("OSProvisioningInternalError") is FailureCause.PLATFORM
    assert len(found) > 15
    assert {code: failure_cause(code, "") for code in found} == found


def _classified(text: str) -> Iterator[tuple[str, FailureCause]]:
    for words, cause in _CLASSES.items():
        for line in re.findall(rf"^- \*{words}[^*]*:?\*:? ?(.*)$", text, re.MULTILINE):
            bare = re.sub(r"`[^`]*`|\([^)]*\)|\[[^\]]*\]|\"[^\"]*\"", "", line)
            yield from ((code, cause) for code in re.findall(r"\b(?:[A-Z][A-Za-z]+){2,}\b", bare) if _is_code(code))


def _is_code(word: str) -> bool:
    return len(re.findall("[A-Z]", word)) > 1


def test_the_boot_failures_that_people_met_are_in_the_table(real_data: Path):
    text = (real_data / "arm" / "errors-seen-in-the-wild.md").read_text(encoding="utf-8")
    rows = [
        line for line in text.splitlines() if line.startswith(("| boot:", "| 429", "| provisioningState Succeeded"))
    ]
    met = {code for row in rows for code in re.findall(r"\b(?:OS|Gallery|Operation|TooMany)[A-Za-z]{6,}\b", row)}
    known = {each.code for each in CODES}
    assert met & known >= {"OSProvisioningTimedOut", "OSProvisioningInternalError", "GalleryImageNotFound"}
    assert {code for code in met if code.startswith("OSProvisioning")} <= known
