"""Who uses the versions of a run: machines, and scale sets whose instances run another version than their model names.

They are there from the beginning, and stay. In some seeds Ringmaster may not read one of the subscriptions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from local.simulation.cloud import Cloud
from local.simulation.scenario import HOME, PRODUCTION, SUBSCRIPTION
from shared.domain.image import VersionId
from shared.domain.usage import INSTANCES, MACHINES, SCALE_SETS, Mention, Relation

SUBSCRIPTIONS: Final = (SUBSCRIPTION, PRODUCTION.subscription)
UNREADABLE: Final = 0.25
"""The share of seeds in which Ringmaster may not read the second subscription."""


UNKNOWN_TO_GRAPH: Final = 0.5
"""The share of users that Resource Graph has not seen yet."""


@dataclass(slots=True)
class Consumers:
    """Everybody who uses a version. ``rng`` is theirs alone."""

    cloud: Cloud
    rng: Random
    users: dict[VersionId, set[str]] = field(default_factory=dict[VersionId, set[str]])
    """Ids of the resources that run a version, by version."""

    def __post_init__(self) -> None:
        if self.rng.random() < UNREADABLE:
            self.cloud.usage.unreadable.add(PRODUCTION.subscription)

    def begin_to_use(self, version: VersionId) -> None:
        """Teams create machines of a version."""
        if version in self.users:
            return
        self.users[version] = set()
        for subscription in SUBSCRIPTIONS:
            place = f"/subscriptions/{subscription}/resourcegroups/rg-{version.definition.name}"
            compute, own = f"{place}/providers/microsoft.compute", str(version.number).replace(".", "-")
            for number in range(self.rng.choice((0, 1, 1, 2, 12))):
                self._add(version, MACHINES, f"{compute}/virtualmachines/vm-{own}-{number}", str(version))
            if self.rng.random() < 0.5:
                model = f"{compute}/virtualmachinescalesets/web-{own}"
                self.cloud.usage.add(_uses(SCALE_SETS, model, str(version.definition)))
                instance = f"{model}/virtualmachines/0"
                self._add(version, INSTANCES, instance, str(version.definition), exact=str(version.number))

    def visible_users(self, version: VersionId, subscriptions: tuple[str, ...]) -> set[str]:
        """The users that a look in these subscriptions can find."""
        within = tuple(f"/subscriptions/{each}/" for each in subscriptions if each not in self.cloud.usage.unreadable)
        return {each for each in self.users.get(version, ()) if each.startswith(within)}

    def _add(self, version: VersionId, kind: str, resource: str, target: str, exact: str | None = None) -> None:
        self.cloud.usage.add(_uses(kind, resource, target, exact))
        self.users[version].add(resource)
        if self.rng.random() < UNKNOWN_TO_GRAPH:
            self.cloud.usage.missing_in_graph.add(resource)


def _uses(kind: str, resource: str, target: str, exact: str | None = None) -> Mention:
    return Mention(resource, kind, HOME, target, Relation.USES, exact)
