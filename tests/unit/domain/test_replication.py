"""Which targets are written, when replication is proven, and how failed regions are repaired."""

from datetime import timedelta

import pytest

from shared.domain.facts import ProvisioningState, RegionState
from shared.domain.policy import RegionTarget
from shared.domain.replication import (
    Done,
    FailedRegions,
    InProgress,
    Missing,
    RepairStep,
    first_targets,
    judge_replication,
    plan_repair,
    plan_targets,
    time_left,
)
from tests.unit.domain.version_facts import replicated, target, version

HIDDEN = True


class TestTargets:
    def test_that_are_missing_are_added_hidden_after_those_that_are_there(self):
        plan = plan_targets(version("1.0.0", target("westeurope")), [RegionTarget("eastus", 3, "Standard_ZRS")])
        assert plan.targets == (target("westeurope"), target("eastus", HIDDEN, 3, storage="Standard_ZRS"))

    def test_that_are_there_keep_their_flag_and_their_other_properties(self):
        there = target("westeurope", None, 2, kept={"encryption": {"osDiskImage": {}}})
        plan = plan_targets(version("1.0.0", there, excluded=HIDDEN), [RegionTarget("eastus")])
        assert (plan.targets[0], plan.excluded) == (there, True)

    @pytest.mark.parametrize(("present", "wanted", "written"), [(1, 3, 3), (5, 3, 5), (3, 3, 3)])
    def test_have_their_replicas_raised_and_never_lowered(self, present, wanted, written):
        plan = plan_targets(version("1.0.0", target("eastus", replicas=present)), [RegionTarget("eastus", wanted)])
        assert plan.targets[0].replicas == written

    def test_that_are_as_wanted_need_no_write(self):
        assert (
            plan_targets(version("1.0.0", target("eastus", replicas=3)), [RegionTarget("eastus", 2)]).changes is False
        )

    def test_keep_their_storage_type_and_a_warning_says_so(self):
        plan = plan_targets(version("1.0.0", target("eastus")), [RegionTarget("eastus", 1, "Premium_LRS")])
        assert plan.targets[0].storage == "Standard_LRS"
        assert "stored as Standard_LRS, not Premium_LRS" in plan.warnings[0]

    def test_are_compared_by_the_short_name_of_the_region(self):
        assert plan_targets(version("1.0.0", target("westus2")), [RegionTarget("West US 2")]).changes is False

    def test_of_a_first_copy_are_hidden_and_hold_its_home(self):
        assert first_targets([RegionTarget("eastus", 2)], home="westeurope") == (
            target("eastus", HIDDEN, 2),
            target("westeurope", HIDDEN, 1),
        )


class TestJudgement:
    def test_is_done_when_every_region_is_completed(self):
        facts = version("1.0.0", target("eastus"), replication=replicated({"eastus": RegionState.COMPLETED}))
        assert judge_replication(facts, ["eastus"]) == Done()

    def test_looks_at_no_other_region_than_those_asked_for(self):
        states = {"eastus": RegionState.COMPLETED, "westus2": RegionState.FAILED}
        facts = version("1.0.0", target("eastus"), target("westus2"), replication=replicated(states))
        assert judge_replication(facts, ["eastus"]) == Done()

    def test_never_takes_a_succeeded_version_for_a_replicated_one(self):
        facts = version("1.0.0", target("eastus"), state=ProvisioningState.SUCCEEDED)
        assert judge_replication(facts, ["eastus"]) == InProgress({"eastus": 0})

    def test_takes_a_region_without_a_status_for_one_that_is_not_done(self):
        states = {"eastus": RegionState.COMPLETED}
        facts = version("1.0.0", target("eastus"), target("westus2"), replication=replicated(states))
        assert judge_replication(facts, ["eastus", "westus2"]) == InProgress({"westus2": 0})

    def test_gives_the_progress_of_every_open_region(self):
        states = {"eastus": RegionState.REPLICATING, "westus2": RegionState.COMPLETED}
        facts = version("1.0.0", target("eastus"), target("westus2"), replication=replicated(states))
        assert judge_replication(facts, ["eastus", "westus2"]) == InProgress({"eastus": 40})

    def test_names_failed_regions_with_the_services_words(self):
        states = {"eastus": RegionState.FAILED, "westus2": RegionState.REPLICATING}
        facts = version(
            "1.0.0",
            target("eastus"),
            target("westus2"),
            replication=replicated(states, "Failed with internal server error."),
        )
        assert judge_replication(facts, ["eastus", "westus2"]) == FailedRegions(
            {"eastus": "Failed with internal server error."}
        )

    def test_counts_a_region_as_failed_that_a_failed_version_never_began(self):
        facts = version(
            "1.0.0",
            target("eastus"),
            state=ProvisioningState.FAILED,
            replication=replicated({"eastus": RegionState.UNKNOWN}),
        )
        assert isinstance(judge_replication(facts, ["eastus"]), FailedRegions)

    def test_names_regions_that_were_never_asked_for(self):
        facts = version("1.0.0", target("eastus"), replication=replicated({"eastus": RegionState.FAILED}))
        assert judge_replication(facts, ["eastus", "westus2"]) == Missing(("westus2",))


class TestRepair:
    home = target("westeurope", False)
    failed = target("eastus", HIDDEN, 3, kept={"encryption": {"osDiskImage": {"diskEncryptionSetId": "x"}}})

    def facts(self, *targets, state=RegionState.FAILED, excluded=False):
        states = {"westeurope": RegionState.COMPLETED, "eastus": state}
        return version("1.0.0", *targets, replication=replicated(states), excluded=excluded)

    def test_first_writes_the_same_targets_again(self):
        repair = plan_repair(self.facts(self.home, self.failed), ["eastus"], 1)
        assert (repair.step, repair.targets) == (RepairStep.RETRY, (self.home, self.failed))

    def test_then_takes_the_failed_region_out_and_remembers_how_it_was(self):
        repair = plan_repair(self.facts(self.home, self.failed), ["eastus"], 2)
        assert (repair.step, repair.targets, repair.removed) == (RepairStep.REMOVE, (self.home,), (self.failed,))

    def test_then_adds_it_back_exactly_as_it_was(self):
        repair = plan_repair(self.facts(self.home), ["eastus"], 3, removed=[self.failed])
        assert (repair.step, repair.targets) == (RepairStep.ADD_BACK, (self.home, self.failed))

    def test_adds_back_at_any_attempt_what_is_still_out(self):
        assert plan_repair(self.facts(self.home), [], 1, removed=[self.failed]).step is RepairStep.ADD_BACK

    def test_keeps_the_versions_own_flag(self):
        facts = self.facts(self.home, self.failed, excluded=True)
        assert [plan_repair(facts, ["eastus"], attempt).excluded for attempt in (1, 2)] == [True, True]

    def test_never_takes_out_the_home_region(self):
        assert plan_repair(self.facts(self.home, self.failed), ["westeurope"], 2).step is RepairStep.RETRY

    def test_never_takes_out_a_region_with_a_complete_replica(self):
        facts = self.facts(self.home, self.failed, state=RegionState.COMPLETED)
        assert plan_repair(facts, ["eastus"], 2).step is RepairStep.RETRY

    def test_never_takes_out_a_region_where_latest_may_resolve_to_the_version(self):
        assert plan_repair(self.facts(self.home, target("eastus", False)), ["eastus"], 2).step is RepairStep.RETRY

    def test_never_takes_out_a_region_of_which_nothing_was_reported(self):
        facts = version("1.0.0", self.home, self.failed, replication=None)
        assert plan_repair(facts, ["eastus"], 2).step is RepairStep.RETRY

    def test_does_not_invent_how_a_lost_region_was(self):
        with pytest.raises(ValueError, match="the state of its replica is unknown in eastus"):
            plan_repair(self.facts(self.home), ["eastus"], 3)


class TestTimeLeft:
    MINUTE = timedelta(minutes=1)

    def test_follows_from_how_far_a_region_came_between_two_looks(self):
        assert time_left({"eastus": 20}, {"eastus": 40}, self.MINUTE) == 3 * self.MINUTE

    def test_is_that_of_the_slowest_region_that_moves(self):
        assert time_left({"eastus": 0, "westus2": 0}, {"eastus": 50, "westus2": 20}, self.MINUTE) == 4 * self.MINUTE

    def test_says_nothing_of_a_region_that_has_not_begun(self):
        assert time_left({"eastus": 0, "westus2": 0}, {"eastus": 50, "westus2": 0}, self.MINUTE) == self.MINUTE

    @pytest.mark.parametrize("after", [20, 10])
    def test_is_unknown_while_nothing_moves_or_all_begins_anew(self, after):
        assert time_left({"eastus": 20}, {"eastus": after}, self.MINUTE) is None

    def test_is_unknown_of_a_region_that_was_not_seen_before(self):
        assert time_left({}, {"eastus": 30}, self.MINUTE) is None
