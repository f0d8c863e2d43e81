"""How machines and upgrades are counted: the same for Azure and in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.health import EXAMPLES, FleetFacts, Tally
from shared.domain.image import DefinitionId, InvalidId, VersionId, VersionNumber
from shared.ports.health import FleetQuestion

MOST_SCALE_SETS: Final = 25
"""Scale sets that one look reads. Each takes up to four requests."""
MOST_PAGES: Final = 10
"""Pages of each list that one look reads."""
MOST_UPGRADES: Final = 3
"""Failed upgrades that a look names."""
_FAILED_UPGRADES: Final = {"faulted", "rollingback"}

type _Judge = Callable[[FleetMachine], bool | None]
"""Whether a machine is good; None where that is not known."""


@dataclass(frozen=True, slots=True)
class FleetMachine:
    """A virtual machine, or an instance of a scale set."""

    name: str
    image: VersionId | None
    """The version that it runs, where its image reference tells."""
    region: str
    provisioning: str
    """``provisioningState``: ``Succeeded``, ``Failed``, ``Creating``, …"""
    health: str | None = None
    """The code of ``vmHealth``, as ``HealthState/healthy``; None where nothing monitors it."""
    why: str = ""
    """Why its provisioning failed, where Azure tells."""
    in_scale_set: bool = False
    """Whether it was found as an instance of a scale set that is watched."""


@dataclass(frozen=True, slots=True)
class FleetUpgrade:
    """An upgrade of a scale set. ``image`` is what it upgrades to, where Azure tells."""

    scale_set: str
    code: str
    """``runningStatus.code``: ``Completed``, ``Faulted``, ``RollingBack``, …"""
    began: datetime | None
    image: VersionId | None = None
    rolled_back: int = 0
    """Instances that were rolled back."""
    why: str = ""


def image_of(reference: str | None, exact: str | None) -> VersionId | None:
    """The version that an image reference means: the one that it names, or ``exactVersion`` of the definition.

    An id of a definition, or with ``/versions/latest``, says only with ``exactVersion`` what runs.
    """
    if not reference:
        return None
    definition = reference.removesuffix("/versions/latest")
    try:
        if "/versions/" in definition.lower():
            return VersionId.parse(definition)
        return DefinitionId.parse(definition).version(VersionNumber.parse(exact or ""))
    except InvalidId:
        return None


def counted(
    question: FleetQuestion,
    machines: Iterable[FleetMachine],
    upgrades: Iterable[FleetUpgrade],
    incomplete: Iterable[str] = (),
) -> FleetFacts:
    """The facts about a fleet."""
    read = tuple(machines)
    before = None if question.before is None else question.version.definition.version(question.before)
    instances = [each for each in read if each.in_scale_set]
    others = [each for each in read if not each.in_scale_set and each.region in question.regions]
    failed = [text for each in upgrades if (text := _failure(each, question)) is not None]
    return FleetFacts(
        instances=_tally(instances, question.version, _is_healthy),
        instances_before=_tally(instances, before, _is_healthy),
        machines=_tally(others, question.version, _is_provisioned),
        machines_before=_tally(others, before, _is_provisioned),
        failed_upgrades=tuple(failed[:MOST_UPGRADES]),
        incomplete=tuple(incomplete),
    )


def _tally(machines: Iterable[FleetMachine], image: VersionId | None, is_good: _Judge) -> Tally:
    own = [each for each in machines if image is not None and each.image == image]
    judged = [(each, is_good(each)) for each in own]
    bad = [each for each, good in judged if good is False]
    return Tally(
        good=sum(good is True for _, good in judged),
        bad=len(bad),
        undecided=sum(good is None for _, good in judged),
        failures=tuple(f"{each.name}{f' ({each.why})' if each.why else ''}" for each in bad[:EXAMPLES]),
    )


def _is_provisioned(machine: FleetMachine) -> bool | None:
    return {"succeeded": True, "failed": False}.get(machine.provisioning.lower())


def _is_healthy(machine: FleetMachine) -> bool | None:
    if machine.provisioning.lower() == "failed":
        return False
    return {"healthstate/healthy": True, "healthstate/unhealthy": False}.get((machine.health or "").lower())


def _failure(upgrade: FleetUpgrade, question: FleetQuestion) -> str | None:
    """Why an upgrade to the version failed; None if it did not, or was one to another version or before."""
    if upgrade.began is None or upgrade.began < question.since or upgrade.image not in {None, question.version}:
        return None
    if upgrade.code.lower() not in _FAILED_UPGRADES and not upgrade.rolled_back:
        return None
    rolled = f", {upgrade.rolled_back} instances rolled back" if upgrade.rolled_back else ""
    return f"the upgrade of {upgrade.scale_set} is {upgrade.code}{rolled}{f': {upgrade.why}' if upgrade.why else ''}"
