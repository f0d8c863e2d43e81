"""After a revocation: who still runs the version is evidence, and what was made from it goes with it by policy."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.simulation.calls import Call
from shared.adapters.memory.usage import MemoryUsage
from shared.domain.actions import Action
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, VersionId, VersionNumber
from shared.domain.policy import DefinitionPolicy, DescendantRule, RevocationRules, ScanRules
from shared.domain.release import Gate, State
from shared.domain.usage import INSTANCES, MACHINES, SCALE_SETS, VERSIONS, InUseRules, Mention, Relation
from tests.flow.misfortunes import AnyMisfortune, Meanwhile, Misfortune, crash, throttled, unavailable
from tests.flow.rehearsal import (
    DEFINITION,
    HOME,
    OTHER_SUBSCRIPTION,
    PRODUCTION,
    SMALL,
    SOURCE,
    SUBSCRIPTION,
    Rehearsal,
)

RULES = replace(SMALL, scan=ScanRules(SMALL.scan.limits, revoke_to_empty=True))
APP = DefinitionId(SOURCE.gallery, "app")
TEAM = DefinitionId(SOURCE.gallery, "team")
REVOKES = RevocationRules(DescendantRule.REVOKE)


def also(definition: DefinitionId) -> DefinitionPolicy:
    """The same rules for another definition."""
    rings = tuple(replace(ring, definition=definition) for ring in RULES.rings)
    return replace(RULES, name=definition.name, source=definition, rings=rings, digest=f"{definition.name}-1")


def compute(subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourcegroups/rg/providers/microsoft.compute"


def mention(kind: str, resource: str, target: object, exact: str | None = None) -> Mention:
    relation = Relation.MADE_FROM if kind in {VERSIONS, "microsoft.compute/images"} else Relation.USES
    return Mention(resource, kind, HOME, str(target).lower(), relation, exact)


def machine(usage: MemoryUsage, name: str, target: object, subscription: str = SUBSCRIPTION) -> str:
    return usage.add(mention(MACHINES, f"{compute(subscription)}/virtualmachines/{name}", target))


def scale_set(usage: MemoryUsage, name: str, target: object, runs: str) -> None:
    """A scale set that follows ``latest``, and an instance that runs a version."""
    own = usage.add(mention(SCALE_SETS, f"{compute()}/virtualmachinescalesets/{name}", target))
    usage.add(mention(INSTANCES, f"{own}/virtualmachines/0", target, runs))


def listed(play: Rehearsal, version: VersionId, source: object) -> VersionId:
    """The lists show a version that was made from another resource."""
    usage, definition = play.cloud.usage, version.definition
    usage.add_resource(str(definition.gallery), "microsoft.compute/galleries")
    usage.add_resource(str(definition), "microsoft.compute/galleries/images")
    usage.add(mention(VERSIONS, str(version), source))
    return version


def derived(play: Rehearsal, definition: DefinitionId, source: object) -> VersionId:
    """A team builds a version of its own from another resource, and it is released."""
    version = play.publish(definition=definition)
    play.run()
    assert play.release(version).state is State.RELEASED
    return listed(play, version, source)


def built_before(definition: DefinitionId, *definitions: DefinitionPolicy, fault: AnyMisfortune) -> Rehearsal:
    """The event of a version was lost, so that it has no release yet."""
    play = Rehearsal(*definitions, misfortunes=[fault], reconcile=False)
    rebuild(play, definition)
    return play


def rebuild(play: Rehearsal, definition: DefinitionId) -> VersionId:
    """Somebody builds a version that everybody sees."""
    version = definition.version(VersionNumber.parse("1.0.0"))
    facts = VersionFacts(version, ProvisioningState.CREATING, HOME, targets=(RegionTargetFacts(HOME),))
    play.cloud.galleries.build(facts, settled=True)
    return version


def released(
    *definitions: DefinitionPolicy, misfortunes: tuple[AnyMisfortune, ...] = ()
) -> tuple[Rehearsal, VersionId]:
    play = Rehearsal(*(definitions or (RULES,)), misfortunes=misfortunes)
    version = play.publish()
    play.run()
    return play, version


def revoked(play: Rehearsal, version: VersionId) -> Mapping[str, Any]:
    """The facts of the evidence about the users, after a revocation."""
    play.take(Action.REVOKE, version, reason="a backdoor")
    play.run()
    assert play.release(version).state is State.REVOKED
    return facts_of(play, version)


def facts_of(play: Rehearsal, version: VersionId) -> Mapping[str, Any]:
    record = play.release(version).gate_any(Gate.IN_USE)
    assert record is not None
    return play.cloud.evidence.documents()[record.evidence]["facts"]


def names(facts: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["refers"] for each in facts["users"]}


def looks_in(play: Rehearsal, rules: InUseRules) -> None:
    play.host.world = replace(play.host.world, policy=replace(play.host.world.policy, in_use=rules))


def test_the_evidence_names_who_still_runs_a_revoked_version() -> None:
    play, version = released()
    machine(play.cloud.usage, "vm-1", version)
    scale_set(play.cloud.usage, "web", SOURCE, runs="1.0.0")
    facts = revoked(play, version)
    assert names(facts) == {"vm-1": "pinned", "web": "follows latest", "0": "pinned"}
    assert (facts["complete"], facts["counts"]["scale set instances"]) == (True, 1)


def test_users_of_a_copy_in_a_ring_of_another_gallery_are_users() -> None:
    play, version = released(replace(DEFINITION, scan=RULES.scan))
    machine(play.cloud.usage, "vm-1", PRODUCTION.version(version.number), OTHER_SUBSCRIPTION)
    assert names(revoked(play, version)) == {"vm-1": "pinned"}


def test_it_is_hidden_before_anybody_looks_for_users() -> None:
    play, version = released()
    play.take(Action.REVOKE, version)
    play.run()
    calls = [call.name for _, call in play.done]
    assert calls.index("usage.registered") > max(
        at for at, name in enumerate(calls) if name == "galleries.write_targets"
    )


def test_lists_that_do_not_answer_delay_no_revocation() -> None:
    fault = Misfortune("usage.page", unavailable, times=10**6)
    play, version = released(misfortunes=(fault,))
    play.take(Action.REVOKE, version)
    play.wait(minutes=10)
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.REVOKED, None)


def test_lists_that_never_answer_are_named_and_the_look_ends() -> None:
    fault = Misfortune("usage.page", unavailable, times=10**6)
    play, version = released(misfortunes=(fault,))
    facts = revoked(play, version)
    assert not facts["complete"]
    assert any("virtual machines" in reason and "did not answer" in reason for reason in facts["incomplete"])


def test_a_subscription_that_cannot_be_read_is_named() -> None:
    play, version = released()
    looks_in(play, InUseRules((SUBSCRIPTION, OTHER_SUBSCRIPTION)))
    play.cloud.usage.unreadable.add(OTHER_SUBSCRIPTION)
    machine(play.cloud.usage, "vm-1", version)
    facts = revoked(play, version)
    assert (facts["complete"], names(facts)) == (False, {"vm-1": "pinned"})
    assert all(OTHER_SUBSCRIPTION in reason for reason in facts["incomplete"])


@pytest.mark.parametrize("fault", [crash, unavailable, throttled])
@pytest.mark.parametrize("after", [False, True])
def test_a_page_that_fails_halfway_is_read_again_and_nobody_is_forgotten(fault: Any, after: bool) -> None:
    play, version = released(misfortunes=(Misfortune("usage.page", fault, nth=3, after=after),))
    for number in range(35):
        machine(play.cloud.usage, f"vm-{number:02}", version)
    facts = revoked(play, version)
    assert (len(facts["users"]), facts["complete"]) == (35, True)


def test_a_look_goes_over_several_hops_and_each_leaves_a_document() -> None:
    play, version = released()
    for number in range(300):
        machine(play.cloud.usage, f"vm-{number:03}", version)
    facts = revoked(play, version)
    assert len(facts["users"]) == 300
    assert len(facts["documents"]) > 2


def test_a_number_that_is_used_again_ends_the_look_for_users_of_the_former_image() -> None:
    play, version = released()
    play.take(Action.REVOKE, version)
    play.until(lambda: "in_use" in play.release(version).pending)
    play.cloud.galleries.remove(version)
    play.publish(events=(timedelta(0),))
    play.until(lambda: play.release(version).state is not State.REVOKED)
    assert "in_use" not in play.release(version).pending
    play.run()


class TestDescendants:
    def test_they_are_named_over_generations_and_left_alone_by_default(self) -> None:
        play, version = released(RULES, also(APP), also(TEAM))
        app = derived(play, APP, version)
        team = derived(play, TEAM, app)
        machine(play.cloud.usage, "vm-1", team)
        facts = revoked(play, version)
        assert {each["id"]: each["generation"] for each in facts["descendants"]} == {str(app): 1, str(team): 2}
        assert [(each["name"], each["via"]) for each in facts["users"]] == [("vm-1", str(team))]
        assert {play.latest(APP, HOME), play.latest(TEAM, HOME)} == {"1.0.0"}

    def test_a_grandchild_is_revoked_with_it_where_the_policy_says_so(self) -> None:
        play, version = released(replace(RULES, revocation=REVOKES), also(APP), also(TEAM))
        image = f"{compute()}/images/captured"
        builder = machine(play.cloud.usage, "builder", version)
        play.cloud.usage.add(mention("microsoft.compute/images", image, builder))
        app = derived(play, APP, image)
        team = derived(play, TEAM, app)
        revoked(play, version)
        for descendant in (app, team):
            row = play.release(descendant)
            assert row.state is State.REVOKED
            assert f"made from {version.short}" in row.reasons[0]
            assert play.latest(descendant.definition, HOME) is None

    def test_one_that_the_policy_does_not_cover_is_named_and_left_alone(self) -> None:
        play, version = released(replace(RULES, revocation=REVOKES))
        play.cloud.add_definition(APP, HOME)
        app = listed(play, rebuild(play, APP), version)
        facts = revoked(play, version)
        assert [(each["id"], each["covered"]) for each in facts["descendants"]] == [(str(app), False)]
        assert (play.has(app), play.latest(APP, HOME)) == (False, "1.0.0")

    def test_one_without_a_release_is_revoked_once_although_the_function_crashed_after_its_row(self) -> None:
        crashed = Misfortune("ledger.insert", crash, after=True, function="in_use")
        play = built_before(APP, replace(RULES, revocation=REVOKES), also(APP), fault=crashed)
        app = listed(play, APP.version(VersionNumber(1, 0, 0)), SOURCE.version(VersionNumber(1, 0, 0)))
        version = play.publish()
        play.run()
        play.take(Action.REVOKE, version)
        play.until(lambda: crashed.struck)
        play.host.reconcile_every(timedelta(minutes=5))
        play.run()
        row = play.release(app)
        assert (crashed.struck, row.state) == (True, State.REVOKED)
        assert sum("revocation ordered" in line.text for line in row.history) == 1

    def test_one_that_was_built_again_under_its_number_since_is_left_alone(self) -> None:
        def build_again(_: Call) -> None:
            play.cloud.galleries.remove(APP.version(VersionNumber(1, 0, 0)))
            rebuild(play, APP)

        again = Meanwhile("galleries.version", "in_use", build_again, only=lambda call: call.args[0].definition == APP)
        play = built_before(APP, replace(RULES, revocation=REVOKES), also(APP), fault=again)
        app = listed(play, APP.version(VersionNumber(1, 0, 0)), SOURCE.version(VersionNumber(1, 0, 0)))
        version = play.publish()
        play.run()
        revoked(play, version)
        assert again.struck
        assert any("built again" in line.text for line in play.release(version).history)
        assert not play.has(app) or play.release(app).state not in {State.REVOKING, State.REVOKED}
