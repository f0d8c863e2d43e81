"""What every ledger promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.codec import CodecError
from shared.domain.image import DefinitionId, VersionId
from shared.domain.release import Answer, Gate, GateRecord, Publication, Release, State
from shared.domain.release_summary import ReleaseSummary
from shared.ports import Conflict, DeadLetter
from tests.contract.samples import HOUR, LINUX, NOW, WINDOWS, grown, release, settled, version


async def numbers(ledger: Any, **asked: Any) -> list[str]:
    return [str(stored.release.version.number) async for stored in ledger.rows(**asked)]


async def test_a_version_without_a_row_reads_as_nothing(ledger: Any) -> None:
    assert await ledger.read(version()) is None


async def test_an_inserted_row_reads_back_equal(ledger: Any) -> None:
    inserted = await ledger.insert(release())
    stored = await ledger.read(version())
    assert stored == inserted
    assert stored.release == release()


async def test_a_second_insert_is_a_conflict_and_changes_nothing(ledger: Any) -> None:
    await ledger.insert(release())
    with pytest.raises(Conflict):
        await ledger.insert(release(seq=9))
    assert (await ledger.read(version())).release.seq == 1


async def test_of_many_inserts_at_once_one_wins(ledger: Any) -> None:
    results = await asyncio.gather(*(ledger.insert(release(seq=n)) for n in range(1, 9)), return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 7


async def test_a_replaced_row_reads_back_with_the_etag_that_was_returned(ledger: Any) -> None:
    stored = await ledger.insert(release())
    replaced = await ledger.replace(stored, release(seq=2))
    assert await ledger.read(version()) == replaced
    assert replaced.etag != stored.etag


async def test_replacing_a_row_that_somebody_changed_is_a_conflict_and_changes_nothing(ledger: Any) -> None:
    first = await ledger.insert(release())
    second = await ledger.replace(first, release(seq=2))
    with pytest.raises(Conflict):
        await ledger.replace(first, release(seq=3))
    assert await ledger.read(version()) == second


async def test_replacing_a_row_that_was_never_inserted_is_a_conflict(ledger: Any) -> None:
    stored = await ledger.insert(release())
    elsewhere = replace(stored, release=release(version("9.9.9")))
    with pytest.raises(Conflict):
        await ledger.replace(elsewhere, release(version("9.9.9"), seq=2))


async def test_of_many_replacements_at_once_one_wins(ledger: Any) -> None:
    stored = await ledger.insert(release())
    writes = (ledger.replace(stored, release(seq=n)) for n in range(2, 8))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 5


async def test_a_row_that_shrank_keeps_nothing_of_what_it_was(ledger: Any) -> None:
    stored = await ledger.insert(grown(release(), 200_000))
    await ledger.replace(stored, settled())
    assert (await ledger.read(version())).release == settled()


async def test_a_row_of_half_a_megabyte_reads_back_equal(ledger: Any) -> None:
    large = grown(release(), 500_000)
    await ledger.insert(large)
    assert (await ledger.read(version())).release == large


async def test_a_row_that_cannot_be_read_back_is_not_written(ledger: Any) -> None:
    with pytest.raises(CodecError):
        await ledger.insert(release(started_at=NOW.replace(tzinfo=None)))
    assert await ledger.read(version()) is None


async def test_an_archived_bearer_is_kept_beside_the_new_one(ledger: Any) -> None:
    former = release(incarnation="2026-02-01T00:00:00.1234567+00:00")
    stored = await ledger.insert(former)
    renewed = await ledger.replace(stored, release(seq=2), archive=former)
    assert list(await ledger.archived(version())) == [former]
    assert await ledger.read(version()) == renewed


async def test_two_bearers_of_unknown_incarnation_are_both_kept(ledger: Any) -> None:
    stored = await ledger.insert(release())
    stored = await ledger.replace(stored, release(seq=2), archive=release())
    await ledger.replace(stored, release(seq=3), archive=release(seq=2))
    assert [former.seq for former in await ledger.archived(version())] == [1, 2]


async def test_a_conflict_archives_nothing(ledger: Any) -> None:
    first = await ledger.insert(release())
    await ledger.replace(first, release(seq=2))
    with pytest.raises(Conflict):
        await ledger.replace(first, release(seq=3), archive=release())
    assert list(await ledger.archived(version())) == []


async def test_large_rows_change_places_with_the_archive(ledger: Any) -> None:
    former = grown(release(incarnation="then"), 400_000)
    stored = await ledger.insert(former)
    await ledger.replace(stored, grown(release(seq=2), 400_000), archive=former)
    assert list(await ledger.archived(version())) == [former]


async def test_the_archive_is_not_among_the_rows(ledger: Any) -> None:
    stored = await ledger.insert(release())
    await ledger.replace(stored, release(seq=2), archive=release())
    assert await numbers(ledger) == ["1.2.3"]


async def test_rows_of_a_definition_come_in_the_order_of_their_numbers(ledger: Any) -> None:
    for number in ("10.0.0", "2.0.0", "2.0.11", "2.0.9"):
        await ledger.insert(release(version(number)))
    assert await numbers(ledger, definition=LINUX) == ["2.0.0", "2.0.9", "2.0.11", "10.0.0"]


async def test_rows_of_a_definition_leave_out_one_whose_name_begins_alike(ledger: Any) -> None:
    await ledger.insert(release())
    await ledger.insert(release(version("7.0.0", WINDOWS)))
    assert await numbers(ledger, definition=LINUX) == ["1.2.3"]


async def test_rows_of_all_definitions_are_all_rows(ledger: Any) -> None:
    await ledger.insert(release())
    await ledger.insert(release(version("7.0.0", WINDOWS)))
    assert sorted(await numbers(ledger)) == ["1.2.3", "7.0.0"]


async def test_an_empty_ledger_has_no_rows(ledger: Any) -> None:
    assert await numbers(ledger) == []


async def test_unsettled_rows_leave_out_what_ended(ledger: Any) -> None:
    await ledger.insert(release())
    await ledger.insert(settled(version("2.0.0")))
    assert await numbers(ledger, unsettled=True) == ["1.2.3"]


async def test_a_row_that_settles_leaves_the_unsettled_ones(ledger: Any) -> None:
    stored = await ledger.insert(release())
    await ledger.replace(stored, settled())
    assert await numbers(ledger, unsettled=True, definition=LINUX) == []


async def test_a_row_that_ended_with_work_left_is_unsettled(ledger: Any) -> None:
    await ledger.insert(replace(settled(), pending=release().pending))
    assert await numbers(ledger, unsettled=True) == ["1.2.3"]


async def summaries(ledger: Any, definition: DefinitionId = LINUX) -> list[ReleaseSummary]:
    found = [each async for each in ledger.summaries(definition)]
    return sorted(found, key=lambda each: each.version.number)


def published(of: VersionId, **fields: Any) -> Release:
    """A release that ended well, with its scans before and after."""
    scans = [
        GateRecord(gate, Answer.PASS, NOW + n * HOUR, "then", "d" * 64, "evidence/name.json")
        for n, gate in enumerate((Gate.SCAN, Gate.RESCAN))
    ]
    rings = (Publication("canary", ("westeurope",), NOW), Publication("all", ("eastus",), NOW))
    row = replace(settled(of), incarnation="then", gates=tuple(scans), published=rings)
    return replace(row, **fields)


async def test_a_definition_without_rows_has_no_summaries(ledger: Any) -> None:
    assert await summaries(ledger) == []


async def test_every_row_of_the_definition_has_its_summary(ledger: Any) -> None:
    await ledger.insert(published(version()))
    await ledger.insert(release(version("2.0.0")))
    await ledger.insert(release(version("2.0.0", WINDOWS)))
    ended, under_way = await summaries(ledger)
    assert ended == ReleaseSummary(
        version(), State.RELEASED, True, False, "then", published=("canary", "all"), last_scan=NOW + HOUR
    )
    assert under_way == ReleaseSummary(version("2.0.0"), State.QUALIFYING, False, False)


async def test_a_release_that_ended_as_gone_is_summarised_as_such(ledger: Any) -> None:
    await ledger.insert(replace(settled(), state=State.REJECTED))
    assert [each.ended_as_gone for each in await summaries(ledger)] == [True]


async def test_a_replaced_row_has_the_summary_of_what_it_is_now(ledger: Any) -> None:
    stored = await ledger.insert(release())
    await ledger.replace(stored, published(version()), archive=release())
    assert await summaries(ledger) == [ReleaseSummary.of(published(version()))]


async def test_a_summary_of_more_rings_than_fit_is_read_all_the_same(ledger: Any) -> None:
    rings = tuple(Publication(f"ring-{n:034d}", (), NOW) for n in range(900))
    await ledger.insert(published(version(), published=rings))
    await ledger.insert(published(version("2.0.0")))
    assert [len(each.published) for each in await summaries(ledger)] == [900, 2]


async def test_a_listed_row_can_be_replaced(ledger: Any) -> None:
    await ledger.insert(release())
    (stored,) = [each async for each in ledger.rows()]
    await ledger.replace(stored, release(seq=2))
    assert (await ledger.read(version())).release.seq == 2


async def test_lease_entries_are_no_rows(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    await ledger.adopted(LINUX, now=NOW)
    assert await numbers(ledger) == []


async def test_a_lease_has_one_holder(ledger: Any) -> None:
    assert await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    assert not await ledger.acquire_lease(LINUX, "two", until=NOW + HOUR, now=NOW)


async def test_of_many_who_want_a_lease_at_once_one_gets_it(ledger: Any) -> None:
    wanting = (ledger.acquire_lease(LINUX, f"holder {n}", until=NOW + HOUR, now=NOW) for n in range(8))
    assert sum(await asyncio.gather(*wanting)) == 1


async def test_a_holder_gets_its_own_lease_again_and_for_longer(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    assert await ledger.acquire_lease(LINUX, "one", until=NOW + 3 * HOUR, now=NOW)
    assert not await ledger.acquire_lease(LINUX, "two", until=NOW + 4 * HOUR, now=NOW + 2 * HOUR)


async def test_a_lease_that_ran_out_is_free(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    assert await ledger.acquire_lease(LINUX, "two", until=NOW + 2 * HOUR, now=NOW + HOUR)


async def test_of_many_who_want_a_lease_that_ran_out_one_gets_it(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW, now=NOW - HOUR)
    wanting = (ledger.acquire_lease(LINUX, f"holder {n}", until=NOW + HOUR, now=NOW) for n in range(8))
    assert sum(await asyncio.gather(*wanting)) == 1


async def test_a_lease_given_back_is_free(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    await ledger.release_lease(LINUX, "one")
    assert await ledger.acquire_lease(LINUX, "two", until=NOW + HOUR, now=NOW)


async def test_nobody_gives_back_the_lease_of_another(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    await ledger.release_lease(LINUX, "two")
    assert not await ledger.acquire_lease(LINUX, "two", until=NOW + HOUR, now=NOW)


async def test_giving_back_a_lease_that_nobody_has_is_no_fault(ledger: Any) -> None:
    await ledger.release_lease(LINUX, "one")


async def test_leases_of_two_definitions_are_apart(ledger: Any) -> None:
    await ledger.acquire_lease(LINUX, "one", until=NOW + HOUR, now=NOW)
    assert await ledger.acquire_lease(WINDOWS, "two", until=NOW + HOUR, now=NOW)


async def test_a_key_is_new_once(ledger: Any) -> None:
    key = "signature/with?odd#characters\\\x00" + "x" * 3000
    assert await ledger.claim_once(key, until=NOW + HOUR, now=NOW)
    assert not await ledger.claim_once(key, until=NOW + HOUR, now=NOW)


async def test_of_many_claims_at_once_one_is_new(ledger: Any) -> None:
    claims = (ledger.claim_once("key", until=NOW + HOUR, now=NOW) for _ in range(8))
    assert sum(await asyncio.gather(*claims)) == 1


async def test_a_key_is_new_again_after_its_time(ledger: Any) -> None:
    await ledger.claim_once("key", until=NOW + HOUR, now=NOW)
    assert await ledger.claim_once("key", until=NOW + 3 * HOUR, now=NOW + HOUR)
    assert not await ledger.claim_once("key", until=NOW + 4 * HOUR, now=NOW + 2 * HOUR)


async def test_purging_forgets_exactly_the_claims_whose_time_is_over(ledger: Any) -> None:
    await ledger.claim_once("old", until=NOW, now=NOW - HOUR)
    await ledger.claim_once("fresh", until=NOW + HOUR, now=NOW - HOUR)
    assert await ledger.purge_claims(now=NOW) == 1
    assert not await ledger.claim_once("fresh", until=NOW + HOUR, now=NOW)


async def test_purging_an_empty_ledger_forgets_nothing(ledger: Any) -> None:
    assert await ledger.purge_claims(now=NOW) == 0


async def test_a_definition_is_adopted_when_it_is_first_asked_for(ledger: Any) -> None:
    assert await ledger.adopted(LINUX, now=NOW) == NOW
    assert await ledger.adopted(LINUX, now=NOW + timedelta(days=9)) == NOW


async def test_of_many_adoptions_at_once_all_agree(ledger: Any) -> None:
    times = await asyncio.gather(*(ledger.adopted(LINUX, now=NOW + n * HOUR) for n in range(8)))
    assert len(set(times)) == 1


async def test_a_dead_letter_is_kept_whatever_its_body(ledger: Any) -> None:
    letter = DeadLetter("id/1?#", "image-scan-poison", "unreadable", '\x00\x1b[31m{"é€😀', NOW, str(version()))
    await ledger.note_dead_letter(letter)
    assert [each async for each in ledger.dead_letters()] == [letter]


async def test_a_dead_letter_that_comes_twice_is_kept_once(ledger: Any) -> None:
    letter = DeadLetter("id", "image-scan-poison", "unreadable", "{}", NOW)
    await ledger.note_dead_letter(letter)
    await ledger.note_dead_letter(letter)
    assert [each async for each in ledger.dead_letters()] == [letter]


async def test_a_dead_letter_is_cut_to_eight_kibibytes(ledger: Any) -> None:
    await ledger.note_dead_letter(DeadLetter("id", "q", "r" * 99_999, "é" * 99_999, NOW))
    (kept,) = [each async for each in ledger.dead_letters()]
    assert kept.body == "é" * 4096
    assert len(kept.reason) == 4096


async def test_a_dead_letter_that_is_no_unicode_is_kept_readable(ledger: Any) -> None:
    await ledger.note_dead_letter(DeadLetter("id\ud800", "q", "why \udfff", "body \ud800", NOW))
    (kept,) = [each async for each in ledger.dead_letters()]
    assert (kept.id, kept.reason, kept.body) == ("id?", "why ?", "body ?")


async def test_an_empty_ledger_has_no_dead_letters(ledger: Any) -> None:
    assert [each async for each in ledger.dead_letters()] == []
