"""A version whose last update failed is written again without changes, whichever region failed.

Such a version is neither copied nor published, because no documentation states whether ``latest`` resolves to it. A
write of the same targets restarts failed regions and changes nothing else. Another party may have added the region.
Ringmaster never removes such a region, by law 4 (no region is dropped). It writes the version again with an increasing
delay, names the region in the reason, and stalls the command after its deadline.
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


async def rewrite_failed(hop: Hop, version: VersionFacts, state: Publish | Replicate, *, effect: str) -> HopResult:
    """Write a failed version again, or stall. The caller must hold the lease, and have read the version under it.

    ``version`` should have replication facts, which give the reason. ``effect`` is what is blocked meanwhile.
    """
    why = f"{effect}: {_why(version)}"
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
