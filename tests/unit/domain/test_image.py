"""Names of galleries, definitions and versions, in every spelling that Azure uses."""

from __future__ import annotations

import pytest

from shared.domain.image import DefinitionId, GalleryId, InvalidId, VersionId, VersionNumber, region_name

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
GALLERY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Images/providers/Microsoft.Compute/galleries/Gal_Build"
DEFINITION = f"{GALLERY}/images/Ubuntu-22.04"
VERSION = f"{DEFINITION}/versions/1.2.3"


@pytest.mark.parametrize(
    "spelling",
    [
        VERSION,
        VERSION.lower(),
        VERSION.upper(),
        VERSION + "/",
        VERSION.replace("resourceGroups", "resourcegroups").replace("galleries", "Galleries"),
        VERSION.replace("/galleries/", "/locations/westus/Galleries/").replace("/versions/", "/Versions/"),
    ],
)
def test_every_spelling_of_an_id_is_the_same_version(spelling: str) -> None:
    assert VersionId.parse(spelling) == VersionId.parse(VERSION)
    assert hash(VersionId.parse(spelling)) == hash(VersionId.parse(VERSION))


def test_an_id_written_out_reads_back() -> None:
    version = VersionId.parse(VERSION)
    assert VersionId.parse(str(version)) == version
    assert DefinitionId.parse(str(version.definition)) == version.definition
    assert GalleryId.parse(str(version.definition.gallery)) == version.definition.gallery
    assert version.short == "gal_build/ubuntu-22.04/1.2.3"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        GALLERY,
        DEFINITION,
        VERSION + "/x",
        VERSION.replace("1.2.3", "latest"),
        VERSION.replace("1.2.3", "1.2"),
        VERSION.replace("1.2.3", "1.2.2147483648"),
        VERSION.replace("Microsoft.Compute", "Microsoft.Network"),
        VERSION.replace(SUBSCRIPTION, "not-a-guid"),
        VERSION.replace("Gal_Build", "gal-build"),
        VERSION + "\n",
        "x" * 100_000,
    ],
    ids=lambda text: text[-30:],
)
def test_what_names_no_version_is_refused_with_the_text_shown_in_part(text: str) -> None:
    with pytest.raises(InvalidId) as caught:
        VersionId.parse(text)
    assert len(str(caught.value)) < 700


def test_a_gallery_and_a_definition_are_not_taken_for_each_other() -> None:
    for parse, wrong in ((GalleryId.parse, DEFINITION), (DefinitionId.parse, GALLERY), (DefinitionId.parse, VERSION)):
        with pytest.raises(InvalidId):
            parse(wrong)


def test_numbers_are_ordered_as_numbers_not_as_text() -> None:
    texts = ["1.10.0", "1.9.9", "2.0.0", "1.9.10", "0.0.1", "2147483647.0.0", "10.0.0"]
    numbers = [VersionNumber.parse(text) for text in texts]
    expected = ["0.0.1", "1.9.9", "1.9.10", "1.10.0", "2.0.0", "10.0.0", "2147483647.0.0"]
    assert [str(number) for number in sorted(numbers)] == expected
    assert [str(number) for number in sorted(numbers, key=lambda number: number.sort_key)] == expected


@pytest.mark.parametrize("text", ["1.2", "1.2.3.4", "1.2.x", "-1.2.3", "1.2.3 ", "٠.1.2", "1..2", "2147483648.0.0"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidId, match="is not a version number"):
        VersionNumber.parse(text)


@pytest.mark.parametrize("text", ["West US 2", "westus2", "WestUS2", "west us 2", "west-us-2"])
def test_a_region_has_one_short_name(text: str) -> None:
    assert region_name(text) == "westus2"


@pytest.mark.parametrize("text", ["202309.06.0", "2022.10.03", "01.0.0", "1.0.00"])
def test_a_number_keeps_the_name_that_azure_has(text: str) -> None:
    assert str(VersionNumber.parse(text)) == text


def test_numbers_are_ordered_by_value_however_they_are_spelled() -> None:
    texts = ["202310.1.0", "202309.06.0", "202309.10.0", "202309.6.1"]
    assert [str(each) for each in sorted(map(VersionNumber.parse, texts))] == [
        "202309.06.0",
        "202309.6.1",
        "202309.10.0",
        "202310.1.0",
    ]


def test_two_spellings_of_a_number_are_two_versions_with_rows_of_their_own() -> None:
    usual, zeros = VersionNumber.parse("1.6.0"), VersionNumber.parse("1.06.0")
    assert usual != zeros
    assert usual.sort_key < zeros.sort_key
    assert not zeros.sort_key.startswith(f"{usual.sort_key}~")


def test_a_resource_group_may_have_letters_of_any_script() -> None:
    text = VERSION.replace(VERSION.split("/")[4], "Gruppe-Grün")
    assert "grün" in str(VersionId.parse(text))
