"""What a stage is given for one hop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.image import VersionId
from shared.domain.messages import Command
from shared.domain.moment import Moment
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Release
from shared.ports.world import World


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a release: the command, the row as it was read, the policy as it is now, the ports, and the time."""

    command: Command
    release: Release
    policy: DefinitionPolicy
    world: World
    now: datetime

    @property
    def ring(self) -> Ring:
        """The ring that the command is about. Raises KeyError when the policy has none of its name."""
        return self.policy.ring(self.command.ring or "")

    @property
    def target(self) -> VersionId:
        """The version in the ring's gallery: the released one itself, or its copy under the same number."""
        return self.ring.definition.version(self.release.version.number)

    @property
    def moment(self) -> Moment:
        """The time and the pace."""
        return Moment(self.now, self.world.pace)

    @property
    def is_late(self) -> bool:
        """Whether the command's own deadline has passed."""
        return self.moment.has_passed(self.command.not_after)

    @property
    def until(self) -> str:
        """The command's own deadline, for people."""
        return f"{self.command.not_after:%Y-%m-%d %H:%M} UTC"
