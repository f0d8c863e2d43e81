"""Whether the policy's sizes can boot the version in each ring, judged at validation by what Azure says of the sizes.

Rules:

* A test of which no size can boot the image is an error: the policy must name another size. It is told before the first
  ring is published, and does not condemn the image.
* As long as one size can, the others are warnings, and are not tried.
* A restriction for the subscription is a warning: it may pass, and says nothing about the image.
* Sizes outside the definition's recommendation are a warning. Azure does not refuse them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final

from shared.domain.boot_test.machine_sizes import SizeFacts, Sizes, obstacles
from shared.domain.facts import DefinitionFacts, VersionFacts
from shared.domain.image import DefinitionId
from shared.domain.image_traits import ImageTraits, traits_of
from shared.domain.policy import DefinitionPolicy, Twins
from shared.domain.validation.findings import FindingSeverity, ValidationFinding

type _Told = tuple[FindingSeverity, str, str]
"""Severity, code, and text without the regions."""

NO_SIZE: Final = "vm-size"
"""The code of the error."""
_SMOKE: Final = "the smoke test"


def tested_regions(version: VersionFacts, policy: DefinitionPolicy) -> tuple[str, ...]:
    """The regions in which a version is booted, the smoke test's first."""
    rings = (region for ring in policy.rings if ring.boot_test for region in ring.region_names)
    return tuple(dict.fromkeys((version.location, *rings)))


def preflight(
    version: VersionFacts,
    definitions: Mapping[DefinitionId, DefinitionFacts | None],
    sizes: Mapping[str, Sizes],
    policy: DefinitionPolicy,
) -> Iterator[ValidationFinding]:
    """The findings on the sizes of all tests. ``sizes`` is by region; a region that is not in it is not judged."""
    tests = [(_SMOKE, policy.source, (version.location,))]
    tests += [
        (f"the boot test of the ring {ring.name!r}", ring.definition, ring.region_names)
        for ring in policy.rings
        if ring.boot_test
    ]
    for test, target, regions in tests:
        definition = definitions.get(target)
        if definition is None:
            continue
        traits, found = traits_of(version, definition), dict[_Told, list[str]]()
        for region in regions:
            if sizes.get(region):
                for told in _in_region(test, policy.boot.sizes_in(region), sizes[region], traits, definition):
                    found.setdefault(told, []).append(region)
        for (severity, code, text), where in found.items():
            yield ValidationFinding(code, severity, f"{text} ({', '.join(where)})")


def without_twin(definition: DefinitionFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """A finding if a ring is published before a second machine is booted, so that nothing can be compared with it."""
    if policy.boot.twins is not Twins.COMPARED or definition.os_state.lower() == "specialized":
        return
    early = [ring.name for ring in takewhile(lambda each: not each.boot_test, policy.rings)]
    if early:
        named = ", ".join(map(repr, early))
        text = (
            f"{named} is published before a second machine is booted, so that shared identities are not found: "
            "set boot.twins to pair, or bootTest of the first ring to true"
        )
        yield ValidationFinding("no-twin", FindingSeverity.WARNING, text)


def _in_region(
    test: str, names: tuple[str, ...], sizes: Sizes, traits: ImageTraits, definition: DefinitionFacts
) -> Iterator[_Told]:
    known = {name: sizes.get(name.lower()) for name in names}
    reasons = {name: _reasons(size, traits) for name, size in known.items()}
    wrong = [f"{name}: {each}" for name in names for each in reasons[name]]
    if all(reasons.values()):
        yield FindingSeverity.ERROR, NO_SIZE, f"{test} has no size that can boot the image: {'; '.join(wrong)}"
        return
    for each in wrong:
        yield FindingSeverity.WARNING, "vm-size-unusable", f"{test} skips a size of boot.vmSize: {each}"
    for name, size in known.items():
        if size is None or reasons[name]:
            continue
        if size.restricted is not None:
            text = f"{test}: the subscription may not use {name} ({size.restricted}): use another size in boot.vmSize"
            yield FindingSeverity.WARNING, "vm-size-restricted", text
        if not _recommended(size, definition):
            text = f"{test}: {name} is outside the recommended range of the image definition"
            yield FindingSeverity.WARNING, "vm-size-not-recommended", text


def _reasons(size: SizeFacts | None, traits: ImageTraits) -> tuple[str, ...]:
    return (
        ("Azure does not offer it in the region: use another size",) if size is None else tuple(obstacles(size, traits))
    )


def _recommended(size: SizeFacts, definition: DefinitionFacts) -> bool:
    given = (("vCPUs", size.cores), ("memory", size.memory_gb))
    ranges = definition.recommended
    return all(value is None or name not in ranges or value in ranges[name] for name, value in given)
