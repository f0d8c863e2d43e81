"""A version whose last update failed, because of whatever region: it is written once more as it is.

Nothing is copied from such a version and nothing of it is published: whether ``latest`` resolves to it is documented
nowhere. Writing the same targets again starts failed regions anew and changes nothing else. The region may be one that
somebody else added, whom Ringmaster can't ask and whose region it never takes out (law 4): so it writes again, ever
more rarely, tells people which region it is, and sets the command aside when its deadline is over (law 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.facts import VersionFacts
from shared.domain.messages import Command
from shared.domain.outcomes import Again, Stalled, Step
from shared.domain.replication import failing
from shared.gallery.lease import write
from shared.ports import World

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)


async def written_again(
    version: VersionFacts, command: Command, state: Mapping[str, Any], world: World, now: datetime, *, hinders: str
) -> Step:
    """Write a failed version again, or give up. Whoever calls holds the lease and has read it under the lease.

    ``version`` should carry replication, from which the reason is named; ``hinders`` says what can't be done meanwhile.
    """
    why = f"{hinders}: {_why(version)}"
    until = f"{command.not_after:%Y-%m-%d %H:%M} UTC"
    if now > command.not_after:
        return Stalled(f"{why}; writing it again did not help until {until}: repair or remove that, then send again")
    times = int(state.get("mended", 0))
    await write(version, version.targets, world, excluded=version.excluded)
    text = f"{why}; written again as it is, until {until}"
    pause = min(FIRST_PAUSE * 2 ** min(times, 16), LONGEST_PAUSE)
    first = times == 0
    return Again({**state, "mended": times + 1}, pause, note=text if first else None, stalled=None if first else text)


def _why(version: VersionFacts) -> str:
    failed = [f"replication to {region} failed: {words}" for region, words in failing(version).items()]
    return f"the last update of {version.id.short} failed" + (f" ({'; '.join(failed)})" if failed else "")
