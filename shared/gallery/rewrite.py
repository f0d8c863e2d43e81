"""A version whose last update failed, because of whatever region: it is written once more as it is.

Nothing is copied from such a version and nothing of it is published: whether ``latest`` resolves to it is documented
nowhere. Writing the same targets again starts failed regions anew and changes nothing else. The region may be one that
somebody else added. Ringmaster never removes such a region, by law 4 (no region is dropped). It writes the version
again, less and less often, names the region to people, and stalls the command when its deadline has passed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.hop_states import Publish, Replicate
from shared.domain.outcomes import HopResult, Requeue, Stalled
from shared.domain.replication import failing
from shared.gallery.lease import write
from shared.ports import Hop

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=30)


async def rewrite_failed(hop: Hop, version: VersionFacts, state: Publish | Replicate, *, hinders: str) -> HopResult:
    """Write a failed version again, or give up. Whoever calls holds the lease and has read it under the lease.

    ``version`` should carry replication, from which the reason is named; ``hinders`` says what can't be done meanwhile.
    """
    why = f"{hinders}: {_why(version)}"
    if hop.is_late:
        return Stalled(
            f"{why}; it still failed after it was written again until {hop.until}: repair or remove that "
            "region, then resend"
        )
    await write(version, version.targets, hop.world, excluded=version.excluded)
    text = f"{why}; Ringmaster writes the version again without changes, until {hop.until}"
    pause = min(FIRST_PAUSE * 2 ** min(state.mended, 16), LONGEST_PAUSE)
    first = state.mended == 0
    written = replace(state, mended=state.mended + 1)
    return Requeue(written, pause, note=text if first else None, stalled=None if first else text)


def _why(version: VersionFacts) -> str:
    failed = [f"replication to {region} failed: {words}" for region, words in failing(version).items()]
    return f"the last update of {version.id.short} failed" + (f" ({'; '.join(failed)})" if failed else "")
