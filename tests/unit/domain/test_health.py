"""The judgement on the health of a ring: absolute, against the version before, and unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.health import (
    FleetFacts,
    HealthFacts,
    HealthStatus,
    HttpFacts,
    QueryFacts,
    Tally,
    judge_health,
)
from shared.domain.health_rules import (
    HealthRules,
    HttpRules,
    ProvisioningRules,
    QueryRules,
    ScaleSetRules,
    ShareLimit,
)

HEALTHY, FAILED, UNKNOWN = HealthStatus.HEALTHY, HealthStatus.FAILED, HealthStatus.UNKNOWN
FLEET = HealthRules(scale_sets=ScaleSetRules(ids=("web",), unhealthy=ShareLimit(0.1)), minimum=5)
AGAINST = HealthRules(scale_sets=ScaleSetRules(ids=("web",), unhealthy=ShareLimit(0.5, 2)), minimum=5)
MACHINES = HealthRules(provisioning=ProvisioningRules(("sub",)), minimum=5)
QUERY = QueryRules("workspace", "errors | where v == '{version}'", "errors", 10, worse_than_before=2, samples="n")
LOGS = HealthRules(query=QUERY, minimum=5)
SITE = HealthRules(http=HttpRules("https://example.com/health"))


def fleet(rules: HealthRules, **facts: object) -> tuple[HealthStatus, tuple[str, ...]]:
    verdict = judge_health(HealthFacts(fleet=FleetFacts(**facts)), rules)  # pyright: ignore[reportArgumentType]
    return verdict.status, verdict.reasons


def query(now: QueryFacts | None, before: QueryFacts | None = None) -> HealthStatus:
    return judge_health(HealthFacts(query=now, query_before=before), LOGS).status


def test_enough_instances_with_few_failures_are_healthy() -> None:
    assert fleet(FLEET, instances=Tally(18, 2)) == (HEALTHY, ())


def test_too_large_a_share_fails_and_the_reason_names_the_failures() -> None:
    status, reasons = fleet(FLEET, instances=Tally(8, 2, failures=("web_3", "web_7")))
    assert status is FAILED
    assert reasons == ("2 of 10 scale-set instances are unhealthy (20.0%), more than 10.0%: web_3; web_7",)


def test_too_few_instances_are_unknown_and_never_healthy() -> None:
    status, reasons = fleet(FLEET, instances=Tally(4, 0, 7))
    assert status is UNKNOWN
    assert reasons == ("only 4 scale-set instances of the version, and 7 whose state is not known; 5 are needed",)


def test_too_few_instances_do_not_fail_either() -> None:
    assert fleet(FLEET, instances=Tally(0, 4))[0] is UNKNOWN


def test_a_list_that_was_not_read_to_its_end_is_unknown() -> None:
    status, reasons = fleet(FLEET, instances=Tally(50), incomplete=("VMs of sub: only the first 10 pages are read",))
    assert (status, reasons) == (UNKNOWN, ("VMs of sub: only the first 10 pages are read",))


def test_what_was_read_of_a_list_can_fail_already() -> None:
    assert fleet(FLEET, instances=Tally(5, 5), incomplete=("more",))[0] is FAILED


def test_a_failed_upgrade_fails_however_few_instances_there_are() -> None:
    assert fleet(FLEET, failed_upgrades=("the upgrade of web is Faulted",))[0] is FAILED


def test_worse_than_the_version_before_fails_below_the_absolute_limit() -> None:
    assert fleet(AGAINST, instances=Tally(15, 5), instances_before=Tally(90, 10))[0] is FAILED


def test_as_bad_as_the_version_before_is_healthy() -> None:
    assert fleet(AGAINST, instances=Tally(16, 4), instances_before=Tally(90, 10))[0] is HEALTHY


def test_one_failure_is_not_infinitely_worse_than_none() -> None:
    assert fleet(AGAINST, instances=Tally(49, 1), instances_before=Tally(50))[0] is HEALTHY


def test_a_version_before_with_too_few_samples_is_no_comparison() -> None:
    assert fleet(AGAINST, instances=Tally(15, 5), instances_before=Tally(4))[0] is HEALTHY


def test_machines_that_failed_to_provision_fail_the_ring() -> None:
    assert fleet(MACHINES, machines=Tally(9, 1))[0] is FAILED


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (QueryFacts(10, 5), HEALTHY),
        (QueryFacts(11, 5), FAILED),
        (QueryFacts(0, 4), UNKNOWN),
        (QueryFacts(0, None), UNKNOWN),
        (QueryFacts(None, 50), UNKNOWN),
        (QueryFacts(0, 50, "the result is not complete"), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_a_query_counts_only_with_a_number_and_enough_samples(now: QueryFacts | None, status: HealthStatus) -> None:
    assert query(now) is status


def test_a_query_is_compared_with_that_of_the_version_before() -> None:
    assert (query(QueryFacts(9, 50), QueryFacts(4, 50)), query(QueryFacts(8, 50), QueryFacts(4, 50))) == (
        FAILED,
        HEALTHY,
    )


@pytest.mark.parametrize(
    ("found", "status"),
    [(HttpFacts(), HEALTHY), (HttpFacts("503"), FAILED), (HttpFacts(None, "refused"), UNKNOWN), (None, UNKNOWN)],
)
def test_an_address_that_was_not_asked_is_unknown(found: HttpFacts | None, status: HealthStatus) -> None:
    assert judge_health(HealthFacts(http=found), SITE).status is status


def test_rules_without_a_source_are_unknown() -> None:
    assert judge_health(HealthFacts(), HealthRules()).status is UNKNOWN


_TALLIES = st.builds(Tally, st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))


@given(_TALLIES, _TALLIES, st.integers(1, 50))
def test_fewer_than_the_minimum_are_never_healthy(now: Tally, before: Tally, minimum: int) -> None:
    rules = HealthRules(scale_sets=ScaleSetRules(unhealthy=ShareLimit(0.1, 2)), minimum=minimum)
    verdict = judge_health(HealthFacts(fleet=FleetFacts(now, before)), rules)
    assert (verdict.status is UNKNOWN) == (now.total < minimum)


@given(_TALLIES, _TALLIES)
def test_one_more_failure_never_heals(now: Tally, before: Tally) -> None:
    worse = Tally(max(0, now.good - 1), now.bad + 1, now.undecided)
    facts = [HealthFacts(fleet=FleetFacts(each, before)) for each in (now, worse)]
    found = [judge_health(each, AGAINST).status for each in facts]
    assert found[0] is not FAILED or found[1] is FAILED
