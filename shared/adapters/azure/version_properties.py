"""What becomes of every property of an image version that a client can set, when Ringmaster writes or copies a version.

``tests/unit/adapters/test_version_properties.py`` compares the table with Azure's published types: a property that
Azure adds fails the test until somebody has decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class OnUpdate(StrEnum):
    """What a write of target regions does with a property."""

    SET = "set from the plan"
    KEPT = "written back as it was read"
    UNTOUCHED = "left out of the PATCH, which leaves it as it is"


class OnCopy(StrEnum):
    """What a copy into another gallery has of a property."""

    FROM_POLICY = "from the policy"
    COPIED = "copied from the source"
    FROM_SOURCE = "taken from the source version by Azure"
    DEFAULT = "Azure's default"
    REFUSED = "refused at validation"


class Handling(NamedTuple):
    """What becomes of one property, and of everything in it."""

    update: OnUpdate
    copy: OnCopy


_PUBLISHING: Final = "properties.publishingProfile"
_REGION: Final = f"{_PUBLISHING}.targetRegions[]"
PROPERTIES: Final[Mapping[str, Handling]] = {
    "tags": Handling(OnUpdate.UNTOUCHED, OnCopy.COPIED),
    "location": Handling(OnUpdate.UNTOUCHED, OnCopy.FROM_POLICY),
    f"{_REGION}.name": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    f"{_REGION}.regionalReplicaCount": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    f"{_REGION}.storageAccountType": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    f"{_REGION}.excludeFromLatest": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    f"{_REGION}.encryption": Handling(OnUpdate.KEPT, OnCopy.REFUSED),
    f"{_REGION}.additionalReplicaSets": Handling(OnUpdate.KEPT, OnCopy.DEFAULT),
    f"{_PUBLISHING}.replicaCount": Handling(OnUpdate.KEPT, OnCopy.DEFAULT),
    f"{_PUBLISHING}.excludeFromLatest": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    f"{_PUBLISHING}.endOfLifeDate": Handling(OnUpdate.UNTOUCHED, OnCopy.COPIED),
    f"{_PUBLISHING}.storageAccountType": Handling(OnUpdate.UNTOUCHED, OnCopy.FROM_POLICY),
    f"{_PUBLISHING}.replicationMode": Handling(OnUpdate.UNTOUCHED, OnCopy.REFUSED),
    f"{_PUBLISHING}.targetExtendedLocations": Handling(OnUpdate.KEPT, OnCopy.DEFAULT),
    f"{_PUBLISHING}.storageAccountStrategy": Handling(OnUpdate.UNTOUCHED, OnCopy.DEFAULT),
    "properties.storageProfile": Handling(OnUpdate.UNTOUCHED, OnCopy.FROM_SOURCE),
    "properties.safetyProfile.blockDeletionBeforeEndOfLife": Handling(OnUpdate.KEPT, OnCopy.COPIED),
    "properties.safetyProfile.allowDeletionOfReplicatedLocations": Handling(OnUpdate.SET, OnCopy.FROM_POLICY),
    "properties.securityProfile": Handling(OnUpdate.UNTOUCHED, OnCopy.FROM_SOURCE),
    "properties.restore": Handling(OnUpdate.UNTOUCHED, OnCopy.DEFAULT),
    "properties.validationsProfile": Handling(OnUpdate.UNTOUCHED, OnCopy.FROM_SOURCE),
}
"""By path. What only Azure sets (read-only in its types) is not listed."""


def kept_in(profile: str) -> tuple[str, ...]:
    """Names of the properties of a profile that a write gives back as it read them."""
    prefix = f"properties.{profile}."
    found = (path.removeprefix(prefix) for path, handling in PROPERTIES.items() if handling.update is OnUpdate.KEPT)
    return tuple(name for name in found if "." not in name)
