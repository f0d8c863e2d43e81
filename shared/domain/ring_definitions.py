"""Compares a ring's image definition in another gallery with the source definition.

Rules:

* What Azure refuses when the version is copied is an error. "Troubleshoot images in an Azure Compute Gallery" on
  Microsoft Learn lists OS type, OS state, generation, security type and purchase plan.
* A feature that both definitions name must have the same value, and so must the architecture: the machines of the ring
  would be others than those that were tested.
* Everything else that makes consumers of the ring differ is a warning: recommended sizes, disallowed disk types, and
  features that only one definition names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.domain.facts import DefinitionFacts, ProvisioningState, ResourceRange
from shared.domain.validation.findings import ValidationFinding, error, warning

_DEFAULTS: Final = {
    "DiskControllerTypes": "SCSI",
    "IsHibernateSupported": "False",
    "IsAcceleratedNetworkSupported": "False",
}
"""What a feature means that a definition does not name ("Store and share images in an Azure Compute Gallery")."""


def differs(first: str | None, second: str | None) -> bool:
    """Whether both are known and not the same."""
    return first is not None and second is not None and first.casefold() != second.casefold()


def compare_definitions(ring: str, source: DefinitionFacts, target: DefinitionFacts) -> Iterator[ValidationFinding]:
    """The findings on the definition that a ring copies to."""
    comparisons = (
        ("OS type", source.os_type, target.os_type),
        ("OS state", source.os_state, target.os_state),
        ("generation", source.hyper_v_generation or "V1", target.hyper_v_generation or "V1"),
        ("architecture", source.architecture or "x64", target.architecture or "x64"),
        ("purchase plan", str(source.plan or "none"), str(target.plan or "none")),
        # Azure adds the default of API version 2025-03-03 (TrustedLaunchSupported) when it creates the definition.
        ("SecurityType", source.feature("SecurityType") or "Standard", target.feature("SecurityType") or "Standard"),
        *((name, _spelled(source.feature(name)), _spelled(target.feature(name))) for name in _DEFAULTS),
    )
    for what, here, there in comparisons:
        if differs(here, there):
            yield error(
                "ring-definition-differs",
                f"the {what} is {here}, but {there} in the definition that the ring {ring!r} copies to. It cannot be "
                "changed there: create another definition",
            )
    if target.provisioning_state in {ProvisioningState.FAILED, ProvisioningState.DELETING}:
        yield error("ring-definition-state", f"the definition of the ring {ring!r} is {target.provisioning_state}")
    yield from _for_consumers(ring, source, target)


def _for_consumers(ring: str, source: DefinitionFacts, target: DefinitionFacts) -> Iterator[ValidationFinding]:
    """Differences that Azure does not refuse, and that the ring's consumers meet."""
    for name, default in _DEFAULTS.items():
        here, there = source.feature(name), target.feature(name)
        if (here is None) != (there is None) and differs(_spelled(here or default), _spelled(there or default)):
            yield _differs_for_consumers(ring, name, here or f"not set ({default})", there or f"not set ({default})")
    for name in sorted({*source.recommended, *target.recommended}):
        here, there = (each.recommended.get(name, ResourceRange()) for each in (source, target))
        if here != there:
            yield _differs_for_consumers(ring, f"recommended {name}", str(here), str(there))
    disks = [sorted(each.disallowed_disk_types, key=str.casefold) for each in (source, target)]
    if [each.casefold() for each in disks[0]] != [each.casefold() for each in disks[1]]:
        told = [", ".join(each) or "none" for each in disks]
        yield _differs_for_consumers(ring, "list of disallowed disk types", *told)


def _differs_for_consumers(ring: str, what: str, here: str, there: str) -> ValidationFinding:
    return warning(
        "ring-definition-for-consumers",
        f"the {what} is {here}, but {there} in the definition that the ring {ring!r} copies to. Azure copies the "
        "version, but consumers of the ring get different machines: update one of the definitions",
    )


def _spelled(value: str | None) -> str | None:
    """A value in one order: ``SCSI, NVMe`` and ``NVMe,SCSI`` are the same."""
    return None if value is None else ", ".join(sorted(part.strip() for part in value.split(",")))
