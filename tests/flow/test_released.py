"""A clean version, and what its release shows on the way."""

from dataclasses import replace
from datetime import timedelta

from shared.adapters.memory.characters import LEAVES_DISK, SLOW
from shared.domain.boot_test.probe_checks import LINUX
from shared.domain.lifecycle import missing_proof
from shared.domain.policy import EventDetail
from shared.domain.release import Gate, State
from tests.flow.rehearsal import DEFINITION, PRODUCTION, SMALL, SOURCE, Rehearsal, ring

BOUNDS = {
    "readyWithinMinutes": DEFINITION.boot.ready_within,
    "probeWithinMinutes": DEFINITION.boot.probe_within,
    "rebootWithinMinutes": DEFINITION.boot.reboot_within,
}


def released() -> Rehearsal:
    play = Rehearsal()
    play.publish()
    return play.run()


def test_a_clean_version_is_released_through_every_ring() -> None:
    (release,) = released().rows()
    assert (release.state, [each.ring for each in release.published]) == (
        State.RELEASED,
        ["canary", "early", "production"],
    )


def test_it_is_latest_in_every_region_of_every_ring() -> None:
    play = released()
    places = [(each.definition, region) for each in DEFINITION.rings for region in each.region_names]
    assert {play.latest(definition, region) for definition, region in places} == {"1.0.0"}


def test_it_is_latest_nowhere_before_the_proof_is_complete() -> None:
    play = Rehearsal()
    version = play.publish(scan_after=timedelta(hours=3))
    play.wait(2)
    assert (play.release(version).state, play.latest(SOURCE, "westeurope")) == (State.QUALIFYING, None)


def test_a_ring_is_published_only_when_the_one_before_has_baked() -> None:
    (release,) = released().rows()
    canary, early, production = (each.at for each in release.published)
    assert early - canary >= timedelta(minutes=30)
    assert production - early >= timedelta(hours=2)


def test_every_ring_has_complete_proof_at_the_end() -> None:
    (release,) = released().rows()
    assert [missing_proof(release, DEFINITION, each) for each in DEFINITION.rings] == [(), (), ()]


def test_every_verdict_has_its_evidence() -> None:
    play = released()
    (release,) = play.rows()
    documents = play.cloud.evidence.documents()
    assert [documents[each.evidence]["answer"] for each in release.gates] == ["pass"] * len(release.gates)


def test_the_evidence_of_a_boot_test_names_what_was_seen() -> None:
    play = released()
    (release,) = play.rows()
    for record in (each for each in release.gates if each.gate is Gate.BOOT_TEST):
        facts = play.cloud.evidence.documents()[record.evidence]["facts"]
        seen = {
            "vm",
            "region",
            "vmSize",
            "began",
            "readyAt",
            "agent",
            "probe",
            "nonce",
            "answers",
            "console",
            "restartedAt",
            "seconds",
            "identities",
            "deletedAt",
        }
        assert seen - {"console"} <= set(facts) <= seen
        assert facts["vm"].startswith("rm-")
        rules = dict(play.cloud.evidence.documents()[record.evidence]["rules"])
        assert rules.pop("checks") == {each.id: each.severity.value for each in LINUX if each.id != "baseline"}
        minutes = {name: within / timedelta(minutes=1) for name, within in BOUNDS.items()}
        assert rules == {
            "vmSize": DEFINITION.boot.vm_sizes[0],
            "serialFail": [],
            "serialIgnore": [],
            "console": "expected",
            "consolePatterns": {},
            "reboot": True,
            "twins": "compared",
            "maxSlowdown": None,
            **minutes,
        }


def test_the_copy_in_another_gallery_is_of_the_version() -> None:
    play = released()
    (copy,) = play.do(lambda world, _: world.galleries.versions(PRODUCTION))
    assert copy.source_id == str(play.rows()[0].version)


def test_every_boot_test_ran_on_a_replica_of_its_region() -> None:
    play = released()
    specs = [call.args[0] for call in play.effects("machines.create")]
    assert [spec.region for spec in specs] == [
        "westeurope",
        *(region for each in DEFINITION.rings for region in each.region_names),
    ]


def test_nothing_of_the_boot_tests_is_left() -> None:
    assert released().left() == []


def test_a_disk_that_outlives_its_machine_is_deleted() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=LEAVES_DISK)
    play.run()
    assert (play.release(version).state, play.left()) == (State.RELEASED, [])


def test_a_slow_machine_is_waited_for() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=SLOW)
    assert play.run().release(version).state is State.RELEASED


def test_consumers_are_told_of_each_ring_and_of_the_end() -> None:
    told = [each.type.rpartition(".")[2] for each in released().cloud.publisher.published()]
    told = [each for each in told if each != "ReplicatedAhead"]
    ring = ["Replicated", "Tested", "Baked", "Published"]
    assert told == ["Started", "Validated", "Qualified", *ring, *ring, *ring, "Released"]


def test_the_end_is_told_without_another_write_of_the_row() -> None:
    """An announcement is published by the function that wrote the transition, and the mark removes it."""
    every = released()
    fewer = Rehearsal(replace(DEFINITION, events=EventDetail.MILESTONES))
    fewer.publish()
    fewer.run()
    assert every.runs("announce") == []
    assert len(every.effects("ledger.replace")) <= len(fewer.effects("ledger.replace")) + 3


def test_no_function_fails_on_the_way() -> None:
    assert [each for each in released().host.results if each.error] == []


def test_a_bake_longer_than_a_queue_can_hide_a_message_is_kept() -> None:
    rings = (ring("canary", SOURCE, "westeurope"), ring("early", SOURCE, "eastus", bake=10 * 24 * 60))
    play = Rehearsal(replace(DEFINITION, rings=rings))
    version = play.publish()
    play.run(timedelta(days=12))
    canary, early = (each.at for each in play.release(version).published)
    assert early - canary >= timedelta(days=10)
