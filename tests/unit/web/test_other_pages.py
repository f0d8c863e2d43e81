"""The overview, the page of one release, and documents of evidence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.hop_states import AwaitScan
from shared.domain.image import VersionId, VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.policy import Ahead
from shared.domain.release import Pending, Release, State
from shared.ports import DeadLetter
from shared.web import site
from shared.web.releases_page import MAX_DEAD_LETTERS, MAX_STALLED, PAGE_SIZE
from tests.flow.rehearsal import BEGIN, DEFINITION, SMALL, SOURCE, Rehearsal
from tests.unit.web.scene import finding, judged, read

HIGHEST = "then by version number"


def release(number: str, state: State = State.RELEASED, **changes: Any) -> Release:
    version = SOURCE.version(VersionNumber.parse(number))
    return Release(version, state, 1, "digest-1", started_at=BEGIN, updated_at=BEGIN, **changes)


def waiting(number: str, *, stalled: str | None = None) -> Release:
    """A release that waits for its scan, or whose scan needs people."""
    version = SOURCE.version(VersionNumber.parse(number))
    until = BEGIN + timedelta(hours=24)
    command = Command(Kind.SCAN, version, seq=1, not_after=until, state=AwaitScan(until))
    pending = Pending(command, BEGIN, sent=True, stalled=stalled)
    return release(number, State.QUALIFYING, pending={str(command.branch): pending})


async def house(*releases: Release, letters: int = 0) -> Any:
    play = Rehearsal(SMALL)
    for each in releases:
        await play.cloud.ledger.insert(each)
    for at in range(letters):
        moment = BEGIN + timedelta(minutes=at)
        await play.cloud.ledger.note_dead_letter(
            DeadLetter(f"id-{at}", "image-scan", f"reason {at}.", "secret", moment)
        )
    return play.cloud.world


class TestTheOverview:
    async def test_an_app_without_releases_says_how_one_starts(self) -> None:
        assert "A release starts when a version" in (await read(await house(), "releases")).text

    async def test_a_release_says_what_it_waits_for_and_until_when(self) -> None:
        (row,) = (await read(await house(waiting("1.0.0")), "releases")).rows(HIGHEST)
        assert row.startswith("1.0.0 qualifying scan until 2026-03-03 08:00 (in 24 h)")

    async def test_what_has_stalled_stands_first_with_the_reason(self) -> None:
        world = await house(release("3.0.0"), waiting("2.0.0"), waiting("1.0.0", stalled="nobody answers"))
        page = await read(world, "releases")
        assert page.rows("need an action from you") == ["gal_build/ubuntu/1.0.0 scan: nobody answers"]
        assert [each.split()[0] for each in page.rows(HIGHEST)] == ["1.0.0", "2.0.0", "3.0.0"]

    async def test_a_release_links_to_its_page(self) -> None:
        page = await read(await house(release("1.0.0")), "releases")
        assert page.links()["1.0.0"].startswith("release?version=%2Fsubscriptions%2F")

    async def test_many_releases_stand_on_pages_and_each_on_one(self) -> None:
        world = await house(*(release(f"1.0.{at}") for at in range(PAGE_SIZE + 5)))
        pages = [await read(world, "releases", page=at) for at in (1, 2)]
        shown = [row.split()[0] for page in pages for row in page.rows(HIGHEST)]
        assert shown == [f"1.0.{at}" for at in range(PAGE_SIZE + 4, -1, -1)]

    async def test_what_needs_people_is_bounded_and_the_rest_counted(self) -> None:
        stalled = [waiting(f"1.0.{at}", stalled="why") for at in range(MAX_STALLED + 3)]
        page = await read(await house(*stalled, letters=MAX_DEAD_LETTERS + 2), "releases")
        assert len(page.rows("need an action from you")) == MAX_STALLED
        assert "3 more are not shown here" in page.text
        letters = page.rows("Newest first")
        assert len(letters) == MAX_DEAD_LETTERS
        assert letters[0].endswith("image-scan reason 21.")
        assert "2 more are not shown" in page.text

    async def test_bodies_of_messages_are_not_shown(self) -> None:
        assert "secret" not in (await read(await house(letters=1), "releases")).page.body

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [({"state": "rejected"}, ["2.0.0"]), ({"definition": "gal_build/ubuntu"}, ["2.0.0", "1.0.0"])],
        ids=str,
    )
    async def test_a_choice_shows_these_and_no_others(self, choice: dict[str, str], expected: list[str]) -> None:
        world = await house(release("1.0.0"), release("2.0.0", State.REJECTED))
        assert [each.split()[0] for each in (await read(world, "releases", **choice)).rows(HIGHEST)] == expected

    async def test_a_definition_without_releases_shows_none(self) -> None:
        assert (await read(await house(release("1.0.0")), "releases", definition="gal/none")).rows(HIGHEST) == []


class TestOneRelease:
    async def test_gates_have_their_answers_their_reasons_and_their_proof(self) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "release", version=version)
        scan = page.rows("Verdicts, newest first")[0]
        assert scan.startswith("scan reject 1 critical finding exceeds the limit of 0: CVE-2026-0001 in openssl")
        assert {"evidence", "findings"} <= set(page.links())

    async def test_rings_tell_where_it_is_published_and_where_not(self) -> None:
        play = Rehearsal()
        version = play.publish()
        play.run()
        page = await read(play.cloud.world, "release", version=version)
        assert [each.split()[:2] for each in page.rows("In rollout order")] == [
            ["canary", "published,"],
            ["early", "published,"],
            ["production", "published,"],
        ]

    async def test_a_ring_that_is_filled_ahead_says_how_far_it_is(self) -> None:
        play = Rehearsal(replace(DEFINITION, ahead=Ahead.ALL))
        version = play.publish()
        play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
        rows = (await read(play.cloud.world, "release", version=version)).rows("In rollout order")
        assert [row.split(" gal_")[0] for row in rows] == [
            "canary replicating",
            "early filled ahead: replicating",
            "production filled ahead: replicating",
        ]

    async def test_rings_of_a_revoked_release_are_taken_back(self) -> None:
        play = Rehearsal()
        version = play.publish()
        play.run()
        stored = play.stored(version)
        await play.cloud.ledger.replace(stored, replace(stored.release, state=State.REVOKED))
        rows = (await read(play.cloud.world, "release", version=version)).rows("In rollout order")
        assert [row.split(",")[0] for row in rows] == [f"{ring} revoked" for ring in ("canary", "early", "production")]
        (row,) = (await read(play.cloud.world, "releases")).rows(HIGHEST)
        assert "canary" not in row

    async def test_a_ring_of_a_rejected_release_is_not_published(self) -> None:
        play, version = judged([finding()])
        (row,) = (await read(play.cloud.world, "release", version=version)).rows("In rollout order")
        assert row.startswith("canary not published gal_build")

    async def test_verdicts_under_another_policy_count_no_more(self) -> None:
        play, version = judged([])
        stored = play.stored(version)
        await play.cloud.ledger.replace(stored, replace(stored.release, policy_digest="other"))
        page = await read(play.cloud.world, "release", version=version)
        assert all("no longer valid" in row for row in page.rows("Verdicts, newest first"))

    async def test_the_newest_of_its_history_stands_first(self) -> None:
        play = Rehearsal(SMALL)
        version = play.publish()
        play.run()
        history = play.release(version).history
        rows = (await read(play.cloud.world, "release", version=version)).rows("Newest first")
        assert rows[0].endswith(" ".join(history[-1].text.split()))
        assert len(rows) == len(history)

    async def test_it_is_found_in_any_casing(self) -> None:
        play, version = judged([])
        assert "gal_build/ubuntu/1.0.0" in (await read(play.cloud.world, "release", version=str(version).upper())).text


class TestEvidence:
    async def test_a_document_is_shown_as_it_is_kept(self) -> None:
        play, version = judged([finding()])
        release = await read(play.cloud.world, "release", version=version)
        href = release.links()["evidence"].partition("?")[2]
        query = dict(part.split("=") for part in href.split("&"))
        page = await read(play.cloud.world, "evidence", version=version, evidence=query["evidence"])
        assert '"gate": "validation"' in str(page.all("pre")[0])

    @pytest.mark.parametrize("name", ["", "scan-0000", "../other", "validation-1.json"])
    async def test_only_what_the_row_names_is_ever_read(self, name: str) -> None:
        play, version = judged([finding()])
        asked = {"version": str(version), "evidence": name}
        assert (await site.page("evidence", asked, play.cloud.world, now=BEGIN)).status == 404


@pytest.mark.parametrize("name", ["release", "scan", "evidence"])
@pytest.mark.parametrize(
    ("version", "status"),
    [("", 400), ("nonsense", 400), (str(SOURCE), 400), (str(VersionId.parse(f"{SOURCE}/versions/7.7.7")), 404)],
)
async def test_a_version_that_is_none_or_unknown_is_told(name: str, version: str, status: int) -> None:
    page = await site.page(name, {"version": version}, await house(), now=BEGIN)
    assert page.status == status
    assert "7.7.7" in page.body or "version:" in page.body


async def test_a_page_that_is_none_names_those_there_are() -> None:
    page = await site.page("secrets", {}, await house(), now=BEGIN)
    assert page.status == 404
    assert "releases, release, scan, evidence" in page.body
