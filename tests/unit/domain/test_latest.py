"""What ``latest`` is, and what publishing would make of it."""

import pytest

from shared.domain.facts import ProvisioningState, RegionState
from shared.domain.latest import (
    NewerPublished,
    PublicationBlocked,
    PublishPlan,
    check_publication,
    latest_in,
    plan_publication,
)
from tests.unit.domain.version_facts import number, replicated, target, version, version_id

HIDDEN = True


def planned(versions, published, *regions) -> PublishPlan:
    plan = plan_publication(versions, published, regions)
    assert isinstance(plan, PublishPlan), plan
    return plan


class TestLatest:
    def test_is_the_highest_number_by_its_integers_not_by_its_text(self):
        versions = [version(text, target("westeurope")) for text in ("1.9.0", "1.10.0", "1.2.30")]
        assert latest_in(versions, "westeurope") == number("1.10.0")

    def test_is_nothing_where_no_version_has_a_replica(self):
        assert latest_in([version("1.0.0", target("westeurope"))], "eastus") is None

    def test_of_a_region_may_be_asked_by_its_display_name(self):
        assert latest_in([version("1.0.0", target("westus2"))], "West US 2") == number("1.0.0")

    def test_passes_over_a_version_that_is_excluded_as_a_whole(self):
        versions = [version("1.0.0", target("eastus")), version("2.0.0", target("eastus"), excluded=HIDDEN)]
        assert latest_in(versions, "eastus") == number("1.0.0")

    def test_passes_over_a_version_that_is_excluded_in_the_region(self):
        versions = [version("1.0.0", target("eastus")), version("2.0.0", target("eastus", HIDDEN))]
        assert latest_in(versions, "eastus") == number("1.0.0")

    def test_follows_the_regions_flag_against_the_versions(self):
        assert latest_in([version("2.0.0", target("eastus", False), excluded=HIDDEN)], "eastus") == number("2.0.0")

    @pytest.mark.parametrize(
        "state", [s for s in ProvisioningState if s not in {ProvisioningState.SUCCEEDED, ProvisioningState.UPDATING}]
    )
    def test_passes_over_a_version_that_is_not_provisioned(self, state):
        assert latest_in([version("2.0.0", target("eastus"), state=state)], "eastus") is None

    def test_keeps_a_version_whose_targets_are_being_updated(self):
        updating = version("2.0.0", target("eastus"), state=ProvisioningState.UPDATING)
        assert latest_in([updating], "eastus") == number("2.0.0")

    @pytest.mark.parametrize("state", [s for s in RegionState if s is not RegionState.COMPLETED])
    def test_passes_over_a_version_known_not_to_be_replicated_there(self, state):
        assert (
            latest_in([version("2.0.0", target("eastus"), replication=replicated({"eastus": state}))], "eastus") is None
        )

    def test_passes_over_a_region_that_the_replication_status_does_not_mention(self):
        assert latest_in([version("2.0.0", target("eastus"), replication=replicated({}))], "eastus") is None


class TestPlan:
    def test_shows_the_version_in_the_wanted_regions_and_in_no_other(self):
        new = version("2.0.0", target("westeurope", HIDDEN), target("eastus", HIDDEN), excluded=HIDDEN)
        plan = planned([new], new, "eastus")
        assert [(t.region, t.excluded) for t in plan.targets] == [("westeurope", True), ("eastus", False)]

    def test_leaves_the_versions_own_flag_while_a_region_stays_hidden(self):
        new = version("2.0.0", target("westeurope", HIDDEN), target("eastus", HIDDEN), excluded=HIDDEN)
        assert planned([new], new, "eastus").excluded is True

    def test_clears_the_versions_own_flag_with_the_last_hidden_region(self):
        new = version("2.0.0", target("westeurope", False), target("eastus", HIDDEN), excluded=HIDDEN)
        assert planned([new], new, "eastus").excluded is False

    def test_makes_the_flag_of_other_regions_explicit_as_it_is_in_effect(self):
        new = version("2.0.0", target("westeurope"), target("northeurope"), target("eastus", HIDDEN))
        plan = planned([new], new, "eastus")
        assert [t.excluded for t in plan.targets] == [False, False, False]

    def test_keeps_replicas_storage_and_unknown_properties_of_every_region(self):
        new = version(
            "2.0.0",
            target("westeurope", HIDDEN, 5, storage="Premium_LRS", kept={"encryption": {"osDiskImage": {"x": 1}}}),
            target("eastus", HIDDEN, 3),
            excluded=HIDDEN,
        )
        kept = [(t.region, t.replicas, t.storage, t.kept) for t in planned([new], new, "eastus").targets]
        assert kept == [(t.region, t.replicas, t.storage, t.kept) for t in new.targets]

    def test_says_what_latest_was_and_will_be_in_every_region_of_the_definition(self):
        old = version("1.0.0", target("westeurope"), target("brazilsouth"))
        new = version("2.0.0", target("westeurope", HIDDEN), target("eastus", HIDDEN))
        plan = planned([old, new], new, "westeurope")
        assert plan.before == {"westeurope": number("1.0.0"), "brazilsouth": number("1.0.0"), "eastus": None}
        assert plan.after == {"westeurope": number("2.0.0"), "brazilsouth": number("1.0.0"), "eastus": None}

    def test_changes_nothing_when_the_version_is_visible_there_already(self):
        new = version("2.0.0", target("westeurope", False), target("eastus", HIDDEN), excluded=HIDDEN)
        assert planned([new], new, "westeurope").changes is False

    def test_counts_a_flag_that_is_not_said_as_what_is_in_effect(self):
        new = version("2.0.0", target("westeurope"))
        assert planned([new], new, "westeurope").changes is False

    def test_trusts_the_versions_own_facts_over_its_older_entry_in_the_list(self):
        listed = version("2.0.0", target("westeurope", HIDDEN))
        newer = version("2.0.0", target("westeurope", HIDDEN), target("eastus", HIDDEN))
        assert [t.region for t in planned([listed], newer, "eastus").targets] == ["westeurope", "eastus"]


class TestOvertaken:
    def test_by_a_higher_number_that_is_visible_in_a_wanted_region(self):
        old = version("1.5.0", target("westeurope", HIDDEN), target("eastus", HIDDEN))
        newer = version("1.6.0", target("eastus"))
        assert plan_publication([old, newer], old, ["westeurope", "eastus"]) == NewerPublished(
            number("1.6.0"), "eastus"
        )

    def test_not_by_a_higher_number_that_is_hidden_or_elsewhere(self):
        old = version("1.5.0", target("eastus", HIDDEN))
        others = [version("1.6.0", target("eastus", HIDDEN)), version("1.7.0", target("westus2"))]
        assert isinstance(plan_publication([old, *others], old, ["eastus"]), PublishPlan)


class TestHarm:
    def test_is_a_wanted_region_without_a_replica(self):
        new = version("2.0.0", target("westeurope", HIDDEN))
        assert plan_publication([new], new, ["westeurope", "eastus"]) == PublicationBlocked(
            ("golden/ubuntu/2.0.0 has no replica in eastus",)
        )

    def test_is_a_wanted_region_that_is_not_replicated_yet(self):
        new = version("2.0.0", target("eastus", HIDDEN), replication=replicated({"eastus": RegionState.REPLICATING}))
        refused = plan_publication([new], new, ["eastus"])
        assert isinstance(refused, PublicationBlocked)
        assert "replication there is Replicating" in refused.reasons[0]

    def test_is_a_version_that_failed(self):
        new = version("2.0.0", target("eastus", HIDDEN), state=ProvisioningState.FAILED)
        refused = plan_publication([new], new, ["eastus"])
        assert isinstance(refused, PublicationBlocked)
        assert "provisioning state is Failed" in refused.reasons[0]


class TestReadBack:
    def test_holds_when_latest_is_the_version_in_every_region(self):
        versions = [version("1.0.0", target("eastus")), version("2.0.0", target("eastus", False), excluded=HIDDEN)]
        assert check_publication(versions, version_id("2.0.0"), ["eastus"]) == ()

    @pytest.mark.parametrize(
        ("versions", "reason"),
        [
            ([], "no longer exists"),
            ([version("2.0.0", target("westeurope"))], "no replica in eastus"),
            ([version("2.0.0", target("eastus", HIDDEN))], "still excluded from latest in eastus"),
            ([version("2.0.0", target("eastus")), version("3.0.0", target("eastus"))], "latest in eastus is 3.0.0"),
            ([version("2.0.0", target("eastus"), state=ProvisioningState.FAILED)], "latest in eastus is nothing"),
        ],
    )
    def test_says_why_it_does_not_hold(self, versions, reason):
        (said,) = check_publication(versions, version_id("2.0.0"), ["eastus"])
        assert reason in said
