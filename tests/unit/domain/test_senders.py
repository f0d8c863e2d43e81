"""Who may send what about which images."""

import pytest

from shared.domain.image import DefinitionId, GalleryId, InvalidId
from shared.domain.senders import Sender, definition_pattern

GALLERY = GalleryId("00000000-0000-4000-8000-000000000001", "rg-images", "gal_build")
UBUNTU = DefinitionId(GALLERY, "ubuntu-22.04")
ELSEWHERE = DefinitionId(GalleryId("00000000-0000-4000-8000-000000000002", "rg-images", "gal_build"), "ubuntu-22.04")


def allowed(pattern: str, definition: DefinitionId = UBUNTU) -> bool:
    return Sender("ci", definitions=(definition_pattern(pattern),)).may_send_for(definition)


@pytest.mark.parametrize("pattern", ["gal_build/ubuntu-22.04", "GAL_BUILD/Ubuntu-22.04", "gal_build/*", "*/ubuntu-*"])
def test_a_definition_is_allowed_by_its_short_name_in_any_casing_and_with_stars(pattern: str) -> None:
    assert allowed(pattern)


@pytest.mark.parametrize("pattern", ["gal_build/ubuntu-22x04", "gal_build/ubuntu", "gal_build/ubuntu-22.0", "gal/*"])
def test_another_definition_is_not(pattern: str) -> None:
    assert not allowed(pattern)


def test_a_short_name_holds_in_every_subscription_and_an_id_in_one() -> None:
    assert allowed("gal_build/*", ELSEWHERE)
    assert allowed(str(UBUNTU).upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert not allowed(str(UBUNTU), ELSEWHERE)


@pytest.mark.parametrize("text", ["", "ubuntu", "a/b/c", "gal/[a-z]*", "gal/ubuntu?", "/subscriptions/x", "gal /u"])
def test_what_names_no_definition_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        definition_pattern(text)


def test_without_limits_a_sender_may_send_all_about_all() -> None:
    assert Sender("ci").may_send("sarif")
    assert Sender("ci").may_send_for(UBUNTU)


def test_no_format_at_all_is_not_every_format() -> None:
    assert not Sender("ci", formats=frozenset()).may_send("trivy")


def test_keys_are_in_no_repr() -> None:
    assert "secret" not in repr(Sender("ci", (b"secret",)))
