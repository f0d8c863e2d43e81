"""An update that Azure took and that failed afterwards: replicas are complete, and nothing resolves to the version."""

from dataclasses import replace

from shared.domain.facts import ProvisioningState, RegionState
from shared.domain.replication import (
    Done,
    FailedElsewhere,
    FailedRegions,
    InProgress,
    RepairStep,
    failing,
    judge_replication,
    plan_repair,
)
from tests.unit.domain.version_facts import replicated, target, version

TARGETS = (target("westeurope", True), target("eastus", True))
COMPLETE = {"westeurope": RegionState.COMPLETED, "eastus": RegionState.COMPLETED}
FACTS = version("1.0.0", *TARGETS, replication=replicated(COMPLETE))
FAILED = replace(FACTS, provisioning_state=ProvisioningState.FAILED)


def test_complete_replicas_are_done_when_the_last_update_succeeded() -> None:
    assert isinstance(judge_replication(FACTS, ["eastus"]), Done)


def test_complete_replicas_are_not_done_when_the_last_update_failed() -> None:
    seen = judge_replication(FAILED, ["eastus"])
    assert isinstance(seen, FailedRegions)
    assert "last update failed" in seen.details["eastus"]


def test_a_failed_update_is_repaired_by_the_same_targets_however_often() -> None:
    for attempt in (1, 2, 3):
        repair = plan_repair(FAILED, ["eastus"], attempt)
        assert (repair.step, repair.targets) == (RepairStep.RETRY, TARGETS)


def test_what_still_replicates_is_waited_for_first() -> None:
    states = COMPLETE | {"eastus": RegionState.REPLICATING}
    facts = replace(FAILED, replication=replicated(states))
    assert isinstance(judge_replication(facts, ["westeurope", "eastus"]), InProgress)


def test_a_region_that_is_not_wanted_is_named_when_it_is_why_the_update_failed() -> None:
    states = COMPLETE | {"japaneast": RegionState.FAILED}
    seen = judge_replication(replace(FAILED, replication=replicated(states, "no capacity")), ["westeurope", "eastus"])
    assert seen == FailedElsewhere({"japaneast": "no capacity"})


def test_a_region_that_is_not_wanted_hides_no_failure_of_one_that_is() -> None:
    states = COMPLETE | {"eastus": RegionState.FAILED, "japaneast": RegionState.FAILED}
    seen = judge_replication(replace(FAILED, replication=replicated(states, "no capacity")), ["westeurope", "eastus"])
    assert seen == FailedRegions({"eastus": "no capacity"})


def test_a_region_that_is_not_wanted_and_fails_disturbs_nobody_once_an_update_succeeded() -> None:
    states = COMPLETE | {"japaneast": RegionState.FAILED}
    assert isinstance(judge_replication(replace(FACTS, replication=replicated(states)), ["eastus"]), Done)


def test_a_region_that_failed_without_words_is_named_all_the_same() -> None:
    assert failing(replace(FACTS, replication=replicated({"japaneast": RegionState.FAILED}))) == {
        "japaneast": "Azure gives no details"
    }


def test_without_replication_facts_no_region_is_said_to_fail() -> None:
    assert failing(replace(FAILED, replication=None)) == {}
