"""The order of a look, and that nothing that could not be read is missing from its coverage."""

from datetime import UTC, datetime

from shared.domain.look import Look, begin, given_up, with_failure, with_page, with_providers
from shared.domain.usage import (
    GRAPH,
    INSTANCES,
    KINDS,
    MACHINES,
    PROVIDERS,
    SCALE_SETS,
    Coverage,
    InUseRules,
    Looked,
    Lookup,
    UsagePage,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
A, B = "sub-a", "sub-b"
RULES = InUseRules((A, B), resource_graph=False)
EMPTY = UsagePage()


def covered(look: Look, subscription: str, kind: str) -> Coverage:
    (found,) = (each for each in look.coverage if (each.subscription, each.kind) == (subscription, kind))
    return found


def known(look: Look, *namespaces: str, rules: InUseRules = RULES) -> Look:
    return with_providers(look, namespaces or ("microsoft.compute",), rules, NOW)


def read_all(look: Look, rules: InUseRules = RULES) -> Look:
    while not look.is_finished:
        look = known(look, rules=rules) if look.next.kind == PROVIDERS else with_page(look, EMPTY, rules, NOW)
    return look


def test_a_look_covers_every_type_in_every_subscription() -> None:
    found = read_all(begin(RULES))
    assert {(each.subscription, each.kind) for each in found.coverage} == {
        (subscription, kind) for subscription in (A, B) for kind in KINDS
    }


def test_a_type_of_a_provider_that_is_not_registered_is_not_asked_for() -> None:
    found = read_all(begin(RULES))
    assert covered(found, A, "microsoft.batch/batchaccounts/pools").looked is Looked.NOT_REGISTERED


def test_a_subscription_that_cannot_be_read_fails_in_every_type() -> None:
    look = with_failure(begin(RULES), "AuthorizationFailed", RULES, NOW)
    assert {each.looked for each in look.coverage if each.subscription == A} == {Looked.FAILED}
    assert look.next == Lookup(B, PROVIDERS)


def test_a_list_that_fails_fails_what_is_below_it() -> None:
    look = known(begin(RULES))
    while look.next.kind != SCALE_SETS:
        look = with_page(look, EMPTY, RULES, NOW)
    look = with_failure(look, "HTTP 500", RULES, NOW)
    assert covered(look, A, INSTANCES).looked is Looked.FAILED
    assert covered(look, A, MACHINES).looked is Looked.LISTED


def test_what_is_below_a_page_comes_before_the_next_page() -> None:
    look = Look((Lookup(A, SCALE_SETS),), (Coverage(A, SCALE_SETS, Looked.LISTED, NOW),))
    instances, following = Lookup(A, INSTANCES, "/set"), Lookup(A, SCALE_SETS, link="2")
    look = with_page(look, UsagePage(resources=1, below=(instances,), following=following), RULES, NOW)
    assert (look.left, covered(look, A, SCALE_SETS).resources) == ((following, instances), 1)


def test_a_waived_type_is_neither_listed_nor_what_is_below_it() -> None:
    rules = InUseRules((A,), {SCALE_SETS: "none of ours"}, resource_graph=False)
    look = read_all(begin(rules), rules)
    assert covered(look, A, INSTANCES).looked is Looked.WAIVED
    assert "none of ours" in covered(look, A, SCALE_SETS).reason


def test_a_waived_type_stays_waived_where_the_subscription_cannot_be_read() -> None:
    rules = InUseRules((A,), {SCALE_SETS: ""}, resource_graph=False)
    look = with_failure(begin(rules), "no", rules, NOW)
    assert covered(look, A, SCALE_SETS).looked is Looked.WAIVED


def test_a_resource_that_cannot_be_read_fails_its_type() -> None:
    look = Look((Lookup(A, MACHINES),), (Coverage(A, MACHINES, Looked.LISTED, NOW),))
    look = with_page(look, UsagePage(resources=1, unreadable=("vm-1",)), RULES, NOW)
    assert covered(look, A, MACHINES).reason == "1 could not be read: vm-1"


def test_whatever_is_left_when_a_look_is_given_up_is_marked() -> None:
    look = given_up(known(begin(RULES)), "the deadline has passed", RULES, NOW)
    assert look.is_finished
    assert covered(look, B, MACHINES).reason == "the deadline has passed"


def test_resource_graph_is_asked_last() -> None:
    look = begin(InUseRules((A,)))
    assert (look.left[0].kind, look.next.kind) == (GRAPH, PROVIDERS)
