"""Bounds of Azure's names and sizes: what is at the bound works, and nothing is lost of what is beyond.

Sources: "Naming rules and restrictions for Azure resources" and "Use tags to organize your Azure resources" (Azure
Resource Manager), "Understanding the Table service data model", "Naming and referencing containers, blobs, and
metadata" and "Put Message" (Azure Storage REST API), "Azure Event Grid quotas and limits".
"""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential

from local.eventgrid.server import EventGrid
from shared.adapters.azure import entities
from shared.adapters.azure.publisher import EventGridPublisher
from shared.adapters.common.copies import SOURCE_TAG
from shared.adapters.common.dead_letters import LONGEST_ID
from shared.adapters.memory.publisher import MemoryPublisher
from shared.codec import LARGEST_BODY, LARGEST_IN_QUEUE, TooLarge, decode_command, encode_release
from shared.domain.evidence_names import evidence_folder
from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.hop_states import Announce
from shared.domain.image import InvalidId, VersionId, VersionNumber
from shared.domain.limits import MAX_BLOB_NAME, MAX_EVENT, MAX_TAG_VALUE
from shared.domain.messages import Announcement, Kind
from shared.domain.orders import machine_name, release_tag
from shared.domain.release import HistoryEntry, Release
from shared.ports import DeadLetter, ForeignTarget, Publisher, Refused
from shared.stages import announce
from tests.contract.clock import ManualClock
from tests.contract.conftest import EITHER, QueueBench
from tests.contract.gallery_labs import HOME, LONG_ENOUGH, LONGEST, SOURCE, GalleryLab, MemoryLab, arm_lab
from tests.contract.machine_labs import MachineLab, MemoryMachineLab, arm_machine_lab, spec
from tests.contract.samples import HOUR, NOW, command, release, version
from tests.contract.test_queues import padded

LONGEST_NUMBER = VersionNumber.parse(".".join([f"000{2**31 - 1}"] * 3))
"""The largest integers, with as many leading zeros as are read."""
ANY_SCRIPT = replace(LONGEST, gallery=replace(LONGEST.gallery, resource_group="映" * 90))
LONGEST_IDS = [
    pytest.param(each.version(LONGEST_NUMBER), id=name)
    for each, name in ((LONGEST, "ascii"), (ANY_SCRIPT, "any script"))
]


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", LONGEST_IDS)
def test_the_longest_id_is_read_as_it_was_written(longest: VersionId) -> None:
    assert VersionId.parse(str(longest)) == longest


@pytest.mark.parametrize(("part", "most"), [("resourcegroups", 90), ("galleries", 80), ("images", 80)])
def test_an_id_with_a_longer_name_is_refused(part: str, most: int) -> None:
    text = str(LONGEST.version(LONGEST_NUMBER))
    before, after = text.split(f"/{part}/")
    with pytest.raises(InvalidId, match="is not an image version id"):
        VersionId.parse(f"{before}/{part}/x{after}")


# --- tags: names of 512 characters, values of 256 ---------------------------------------------------------------------


@pytest.fixture(params=EITHER)
async def galleries(request: pytest.FixtureRequest) -> AsyncIterator[GalleryLab]:
    if request.param == "memory":
        yield MemoryLab(ManualClock())
        return
    async with arm_lab() as made:
        yield made


async def copied(lab: GalleryLab, source: VersionId, tags: dict[str, str] | None = None) -> VersionFacts:
    """The copy of a version in another gallery."""
    await lab.build(source, [RegionTargetFacts(HOME, excluded=True)], tags=tags)
    lab.clock.advance(LONG_ENOUGH)
    facts = await lab.galleries.version(source)
    assert facts is not None
    target = (SOURCE if source.definition == LONGEST else LONGEST).version(VersionNumber(1, 0, 0))
    await lab.galleries.copy_version(facts, target, location=HOME, targets=[RegionTargetFacts(HOME)])
    copy = await lab.galleries.version(target)
    assert copy is not None
    return copy


async def test_a_version_with_the_longest_names_is_copied_and_its_tag_still_tells_it(galleries: GalleryLab) -> None:
    source = LONGEST.version(VersionNumber(2**31 - 1, 2**31 - 1, 2**31 - 1))
    copy = await copied(galleries, source)
    assert len(str(source)) > MAX_TAG_VALUE
    assert copy.source_id is not None
    assert (VersionId.parse(copy.source_id), copy.tags[SOURCE_TAG]) == (source, release_tag(str(source)))


async def test_two_long_ids_that_begin_alike_have_two_tags(galleries: GalleryLab) -> None:
    one, other = (LONGEST.version(VersionNumber(1, 0, patch)) for patch in (1, 2))
    assert str(one)[:MAX_TAG_VALUE] == str(other)[:MAX_TAG_VALUE]
    assert (await copied(galleries, one)).tags[SOURCE_TAG] != release_tag(str(other))


async def test_a_version_is_copied_into_a_gallery_with_the_longest_names(galleries: GalleryLab) -> None:
    copy = await copied(galleries, SOURCE.version(VersionNumber(1, 0, 0)))
    assert copy.id.definition == LONGEST


async def test_the_longest_tags_of_others_survive_a_write(galleries: GalleryLab) -> None:
    source, tags = SOURCE.version(VersionNumber(1, 0, 0)), {"n" * 512: "v" * 256}
    await copied(galleries, source, tags)
    before = await galleries.galleries.version(source)
    assert before is not None
    await galleries.galleries.write_targets(before, [RegionTargetFacts(HOME, replicas=2)], excluded=True)
    after = await galleries.galleries.version(source)
    assert after is not None
    assert after.tags == tags


@pytest.mark.parametrize("longest", LONGEST_IDS)
def test_a_tag_names_its_release_however_long_the_id_is(longest: VersionId) -> None:
    fits = "x" * MAX_TAG_VALUE
    assert release_tag(fits) == fits
    assert len(release_tag(str(longest))) <= MAX_TAG_VALUE
    assert release_tag(str(longest)) != release_tag(str(longest)[:-1])


# --- machines: 15 characters for a computer name on Windows -----------------------------------------------------------


@pytest.fixture(params=EITHER)
async def machines(request: pytest.FixtureRequest) -> AsyncIterator[MachineLab]:
    if request.param == "memory":
        yield MemoryMachineLab(ManualClock())
        return
    async with arm_machine_lab() as made:
        yield made


async def test_a_machine_of_a_release_with_the_longest_id_is_made_and_found(machines: MachineLab) -> None:
    longest = LONGEST.version(LONGEST_NUMBER)
    name = machine_name(longest, 2**53, "r" * 40, "r" * 40)
    assert len(name) == 15
    await machines.publish()
    await machines.machines.create(spec(name, release=str(longest), os_type="Linux"))
    found = {each.release for each in await machines.machines.ours()}
    assert found == {release_tag(str(longest))}


async def test_a_machine_with_a_name_that_windows_does_not_take_is_never_made(machines: MachineLab) -> None:
    await machines.publish()
    with pytest.raises(ForeignTarget, match="15 characters"):
        await machines.machines.create(spec("rm-0123456789abc"))
    assert list(await machines.machines.ours()) == []


# --- tables: keys of 1 KiB, properties of 64 KiB, entities of 1 MiB, transactions of 4 MiB ----------------------------


def sized(row: Release, size: int) -> Release:
    """The release with a row of exactly so many bytes."""
    bare = replace(row, history=(HistoryEntry(NOW, ""),))
    text = "x" * (size - len(encode_release(bare)))
    return replace(row, history=(HistoryEntry(NOW, text),))


@pytest.mark.parametrize("longest", LONGEST_IDS)
async def test_the_longest_id_is_a_key_of_a_row_and_of_its_archive(ledger: Any, longest: VersionId) -> None:
    former = release(longest, incarnation="2026-03-01T12:00:00.123456+00:00")
    stored = await ledger.insert(former)
    await ledger.replace(stored, release(longest, seq=2), archive=former)
    assert (await ledger.read(longest)).release.seq == 2
    assert list(await ledger.archived(longest)) == [former]
    assert [each.version async for each in ledger.summaries(longest.definition)] == [longest]
    assert await ledger.acquire_lease(longest.definition, "one", until=NOW + HOUR, now=NOW)
    keys = entities.entity_of(former, entities.archive_key(former))
    assert all(len(keys[name].encode("utf-16-le")) <= 1024 for name in ("PartitionKey", "RowKey"))


@pytest.mark.parametrize(
    "size", [entities.CHUNK - 1, entities.CHUNK, entities.CHUNK + 1, entities.LARGEST_ROW - 1, entities.LARGEST_ROW]
)
async def test_a_row_at_the_edge_of_a_property_or_of_an_entity_reads_back_equal(ledger: Any, size: int) -> None:
    row = sized(release(), size)
    assert len(encode_release(row)) == size
    await ledger.insert(row)
    assert (await ledger.read(version())).release == row


async def test_two_large_rows_change_places_in_one_transaction(ledger: Any) -> None:
    # Azurite measures an entity of a transaction by its JSON, where bytes are base64. Azure measures its properties.
    size = 1024 * 1024 // 4 * 3 - 8 * 1024
    former = sized(release(incarnation="then"), size)
    stored = await ledger.insert(former)
    await ledger.replace(stored, sized(release(seq=2), size), archive=former)
    assert list(await ledger.archived(version())) == [former]


def test_the_largest_row_is_an_entity_that_a_table_takes() -> None:
    entity = entities.entity_of(sized(release(LONGEST.version(LONGEST_NUMBER)), entities.LARGEST_ROW), "r~")
    sizes = [len(each) if isinstance(each, bytes) else 2 * len(str(each)) for each in entity.values()]
    assert max(sizes) <= 64 * 1024
    assert sum(sizes) + sum(2 * len(name) + 16 for name in entity) + entities.LARGEST_SUMMARY * 2 <= 1024 * 1024
    with pytest.raises(TooLarge, match="at most 960 KiB"):
        entities.entity_of(sized(release(), entities.LARGEST_ROW + 1), "r~")


async def test_dead_letters_with_long_names_are_kept_apart(ledger: Any) -> None:
    for end in "ab":
        await ledger.note_dead_letter(DeadLetter("i" * 99_999 + end, "q" * 99_999, "why", "{}", NOW))
    kept = [each async for each in ledger.dead_letters()]
    assert len({each.id for each in kept}) == 2
    assert all(len(each.id) == len(each.queue) == LONGEST_ID for each in kept)


# --- blobs: names of 1,024 characters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["x", "é", "映"])
async def test_a_blob_name_of_1024_characters_is_written_and_read(evidence: Any, letter: str) -> None:
    name = "/".join([letter * 100] * 10) + "/" + letter * 14
    assert len(name) == MAX_BLOB_NAME
    await evidence.put(name, {"answer": "pass"})
    assert await evidence.get(name) == {"answer": "pass"}


async def test_a_longer_blob_name_is_refused_with_its_length(evidence: Any) -> None:
    with pytest.raises(ValueError, match="1025 characters of at most 1024"):
        await evidence.put("x" * (MAX_BLOB_NAME + 1), {})


@pytest.mark.parametrize("longest", LONGEST_IDS)
async def test_the_longest_id_leaves_room_for_the_names_of_evidence_and_reports(
    evidence: Any, longest: VersionId
) -> None:
    folder = evidence_folder(longest, "2026-03-01T12:00:00.1234567+00:00")
    name = f"{folder}/boot_test-{'r' * 40}-{'r' * 40}-{'0' * 16}.json"
    await evidence.put(name, {"answer": "pass"})
    assert await evidence.get(name) == {"answer": "pass"}
    saved = await evidence.save_report(longest, "trivy", b"{}", at=NOW)
    assert [each.name for each in await evidence.reports(longest)] == [saved]


# --- queues: messages of 64 KiB ---------------------------------------------------------------------------------------


def test_the_largest_body_in_a_queue_is_64_kib_as_base64() -> None:
    assert len(base64.b64encode(b"x" * LARGEST_IN_QUEUE)) == 64 * 1024


async def test_the_largest_command_travels_beside_its_message(bench: QueueBench) -> None:
    sent = padded(LARGEST_BODY)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    assert decode_command(await bench.queues.open(body)) == sent


async def test_a_larger_command_is_refused_before_anything_is_sent(bench: QueueBench) -> None:
    with pytest.raises(TooLarge, match="the maximum is 1024 KiB"):
        await bench.queues.send(padded(LARGEST_BODY + 1))
    await bench.queues.send(command())
    assert len(await bench.receive(Kind.SCAN)) == 1


# --- Event Grid: events of 1 MB ---------------------------------------------------------------------------------------


@pytest.fixture(params=EITHER)
async def publisher(request: pytest.FixtureRequest) -> AsyncIterator[Publisher]:
    if request.param == "memory":
        yield MemoryPublisher()
        return
    async with EventGrid(key="key") as grid, EventGridPublisher(grid.topic_endpoint, AzureKeyCredential("key")) as real:
        yield real


def announcement(size: int) -> Announcement:
    """An announcement whose data has so many bytes."""
    empty = len(json.dumps({"reasons": [""]}))
    return Announcement("Ringmaster.Release.Rejected", version(), NOW, "id", {"reasons": ["x" * (size - empty)]})


async def test_an_event_of_almost_1_mb_is_published(publisher: Publisher) -> None:
    await publisher.publish(announcement(MAX_EVENT - 2048))


async def test_a_larger_event_is_refused_as_too_large(publisher: Publisher) -> None:
    with pytest.raises(Refused) as caught:
        await publisher.publish(announcement(MAX_EVENT + 1024))
    assert caught.value.status == 413


class OneTopic:
    """The part of a world that an announcement needs."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher


@pytest.mark.parametrize("letter", ["x", "映"])
async def test_a_release_with_more_reasons_than_an_event_holds_is_announced(publisher: Publisher, letter: str) -> None:
    texts = tuple(f"{number} {letter * 200}" for number in range(1_500))
    row = release(LONGEST.version(LONGEST_NUMBER), reasons=texts, warnings=texts)
    world: Any = OneTopic(publisher)
    await announce.run(command(kind=Kind.ANNOUNCE, state=Announce("rejected"), region="1"), row, world, NOW)


async def test_an_announcement_says_how_many_reasons_it_leaves_out() -> None:
    memory = MemoryPublisher()
    world: Any = OneTopic(memory)
    for texts in (("a", "b"), ("a", "x" * announce.LONGEST_LIST, "c")):
        row = release(reasons=texts)
        await announce.run(command(kind=Kind.ANNOUNCE, state=Announce("rejected"), region="1"), row, world, NOW)
    told = [each.data["reasons"] for each in memory.published()]
    assert told == [["a", "b"], ["a", "2 more: see the release"]]
