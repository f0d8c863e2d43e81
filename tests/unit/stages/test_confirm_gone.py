"""A release ends as gone when the gallery says so twice: one 404 is not believed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.facts import DefinitionFacts, ProvisioningState, VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.lifecycle import Outcome
from shared.gallery.incarnation import confirm_gone
from shared.ports import Conflict, World

VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/g/images/i/versions/1.0.0"
)
DEFINITION = DefinitionFacts(
    VERSION.definition, ProvisioningState.SUCCEEDED, "westeurope", "Linux", "Generalized", "V2", "x64"
)


def listed(number: str) -> VersionFacts:
    version = VersionId.parse(str(VERSION).replace("1.0.0", number))
    return VersionFacts(version, ProvisioningState.SUCCEEDED, "westeurope", datetime(2026, 3, 1, tzinfo=UTC))


def gallery(definition: DefinitionFacts | None, *versions: VersionFacts) -> World:
    """A world with a gallery that answered 404 for the version before."""

    class Galleries:
        async def definition(self, _: DefinitionId) -> DefinitionFacts | None:
            return definition

        async def versions(self, _: DefinitionId) -> Sequence[VersionFacts]:
            return versions

    port: Any = Galleries()
    nothing: Any = None
    return World(port, nothing, nothing, nothing, nothing, nothing, nothing)


async def test_a_version_that_its_definition_does_not_list_is_gone() -> None:
    gone = await confirm_gone(VERSION, gallery(DEFINITION, listed("1.0.1")), "deleted")
    assert (gone.outcome, gone.why) == (Outcome.VERSION_GONE, "deleted")


async def test_a_version_that_its_definition_still_lists_is_looked_for_again() -> None:
    with pytest.raises(Conflict, match="lists g/i/1"):
        await confirm_gone(VERSION, gallery(DEFINITION, listed("1.0.1"), listed("1.0.0")), "deleted")


async def test_a_version_whose_definition_is_not_found_either_is_looked_for_again() -> None:
    with pytest.raises(Conflict, match="nor its image definition"):
        await confirm_gone(VERSION, gallery(None), "deleted")
