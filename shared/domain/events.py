"""The CloudEvents that Ringmaster publishes about releases: one type each, with the shape of its data.

``data`` of every event has the fields of ``ReleaseEvent``, and those of its own type. ``docs/events.md`` and the JSON
Schemas in ``docs/events.schema.json`` are generated from these types, and every event of a flow test or
a simulated run is checked against them.

``EVENTS`` names each type by what an announcement is about: the name of a ``lifecycle.Outcome`` in lower case, or one
of the names below. Rows of the ledger have these names, so none is ever changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final

STARTED: Final = "started"
HELD: Final = "held"
RESUMED: Final = "resumed"
EMERGENCY: Final = "emergency"
STALLED: Final = "stalled"
UNSTALLED: Final = "unstalled"
DRIFT_FOUND: Final = "drift_found"
DRIFT_REPAIRED: Final = "drift_repaired"
RING_PUBLISHED: Final = "ring_published"


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who ordered something."""

    id: str
    """Object id or application id in Microsoft Entra."""
    name: str = ""
    """Name, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestOf:
    """What `latest` resolves to in a region, before and after."""

    before: str | None
    """Version number before; null if `latest` resolved to no version."""
    after: str | None
    """Version number after; null if `latest` resolves to no version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference between what Ringmaster published and what the gallery has."""

    kind: str
    """What differs: `region_removed`, `replicas_lowered`, `storage_changed`, `hidden`, `copy_deleted` or
    `foreign_latest`."""
    ring: str
    """The ring."""
    region: str | None = None
    """The region; null where the whole version is meant."""
    text: str
    """The difference, for people."""
    repairable: bool = False
    """Whether Ringmaster can repair it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseEvent:
    """Something happened to a release."""

    TYPE: ClassVar[str]
    WHEN: ClassVar[str]

    version: str
    """Resource id of the image version that is released."""
    number: str
    """Its version number."""
    definition: str
    """Resource id of its image definition."""
    state: str
    """State of the release after the event."""
    sequence: int
    """Of two events of one version, the one with the higher number is later, also when its number is reused."""
    incarnation: str | None = None
    """`publishedDate` of the image version, which differs when a number is reused; null before validation."""
    policy: str = ""
    """Digest of the policy under which the release is evaluated."""
    ring: str | None = None
    """The ring that the release is in, or that the event is about; null before the first one."""
    why: str = ""
    """Why, in a sentence, or the reason that a person gave; at most 1,000 characters."""
    reasons: tuple[str, ...] = ()
    """Why the release ended. Together at most 64 KB, with a last entry that counts what is left out."""
    warnings: tuple[str, ...] = ()
    """Warnings of the release. At most 64 KB, too."""
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Regions by ring in which the version is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Started"
    WHEN: ClassVar = "A new image version was found, and its release begins."
    builder: str | None = None
    """Application or object id of who wrote the version, if the event told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Validated"
    WHEN: ClassVar = "The metadata of the version passed validation."


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Qualified"
    WHEN: ClassVar = "The scan and the smoke test passed."


@dataclass(frozen=True, slots=True, kw_only=True)
class InRegions(ReleaseEvent):
    """An event about all regions of a ring."""

    regions: tuple[str, ...] = ()
    """Regions of the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated(InRegions):
    TYPE: ClassVar = "Ringmaster.Release.Replicated"
    WHEN: ClassVar = "The version has its replicas in every region of the ring."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicatedAhead(InRegions):
    TYPE: ClassVar = "Ringmaster.Release.ReplicatedAhead"
    WHEN: ClassVar = "The version has its replicas in a ring ahead, whose turn it is not yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested(InRegions):
    TYPE: ClassVar = "Ringmaster.Release.Tested"
    WHEN: ClassVar = "The boot test passed in every region of the ring."


@dataclass(frozen=True, slots=True, kw_only=True)
class Baked(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Baked"
    WHEN: ClassVar = "The bake time of the ring is over, and no approval is missing."


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWanted(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.ApprovalWanted"
    WHEN: ClassVar = "The ring waits for approvals."
    needed: int = 0
    """How many approvals the ring needs."""
    missing: int = 0
    """How many of them are missing."""
    approvers: tuple[str, ...] = ()
    """Object ids of the users and groups that the ring names; empty for everybody with the role approver."""
    deadline: datetime | None = None
    """Until when the release waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOverdue(ApprovalWanted):
    TYPE: ClassVar = "Ringmaster.Release.ApprovalOverdue"
    WHEN: ClassVar = "Approvals were missing at the deadline, and the policy says `atDeadline: remind`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Approved"
    WHEN: ClassVar = "No approval of the ring is missing any more."
    approvals: tuple[By, ...] = ()
    """Who approved the ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingScanned(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.RingScanned"
    WHEN: ClassVar = "The scan rules of the ring itself passed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(InRegions):
    TYPE: ClassVar = "Ringmaster.Release.Published"
    WHEN: ClassVar = "The version is `latest` in every region of a ring, and Azure confirmed it."
    image: str = ""
    """Resource id of the published image version: the version itself, or its copy in the ring's gallery. Deploy this
    id."""
    latest: Mapping[str, LatestOf] = field(default_factory=dict[str, LatestOf])
    """By region: what `latest` of the ring's image definition was and is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Released"
    WHEN: ClassVar = "The last ring is published: the release has ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Rejected"
    WHEN: ClassVar = "A gate or a person rejected the version, or the version was deleted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Superseded"
    WHEN: ClassVar = "A newer version was published first, or the policy no longer covers the definition."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(ReleaseEvent):
    """An event that a person can order."""

    by: By | None = None
    """Who ordered it; null if Ringmaster did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.Held"
    WHEN: ClassVar = "No further ring is published: a person holds the release, or a later scan failed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.Resumed"
    WHEN: ClassVar = "The release is no longer held."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Stalled"
    WHEN: ClassVar = "The release needs the attention of people. Sent once, until it continues."
    stalls: Mapping[str, str] = field(default_factory=dict[str, str])
    """By branch of the release: what the problem is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstalled(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Unstalled"
    WHEN: ClassVar = "The release no longer needs the attention of people."
    stalls: Mapping[str, str] = field(default_factory=dict[str, str])
    """By branch of the release: what the problem was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Restarted"
    WHEN: ClassVar = "The release begins again: its policy changed, its number was reused, or its version came back."


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.Retried"
    WHEN: ClassVar = "A rejected release repeats the step that failed, because a person ordered it."


@dataclass(frozen=True, slots=True, kw_only=True)
class RescanFailed(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.RescanFailed"
    WHEN: ClassVar = "A later scan of a published version failed, and the policy says `onFailedRescan: alert`."


@dataclass(frozen=True, slots=True, kw_only=True)
class RingUnhealthy(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.RingUnhealthy"
    WHEN: ClassVar = "What follows a published ring failed: no further ring is published until a person decides."


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationStarted(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.RevocationStarted"
    WHEN: ClassVar = "The version is being excluded from `latest` everywhere."


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Revoked"
    WHEN: ClassVar = "The version is `latest` nowhere, and Azure confirmed it."
    latest: Mapping[str, Mapping[str, LatestOf]] = field(default_factory=dict[str, Mapping[str, LatestOf]])
    """By resource id of an image definition, and region: what `latest` was and is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersListed(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.UsersListed"
    WHEN: ClassVar = "The users of a revoked version were listed. `ringmaster in-use` and the evidence have the list."


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.Restored"
    WHEN: ClassVar = "A person ordered that a revoked or rejected version is released again, from the start."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.Exposed"
    WHEN: ClassVar = "The version is visible to `latest` and not proven."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden(Revoked):
    TYPE: ClassVar = "Ringmaster.Release.Hidden"
    WHEN: ClassVar = "A version that was visible without proof is excluded from `latest` again."


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyPromotion(Ordered):
    TYPE: ClassVar = "Ringmaster.Release.EmergencyPromotion"
    WHEN: ClassVar = "An administrator ordered to publish a ring without the conditions in `skips`."
    skips: tuple[str, ...] = ()
    """Conditions that are skipped: `bake`, `approval`, `window`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFound(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.DriftFound"
    WHEN: ClassVar = "The gallery no longer has what Ringmaster published. Sent once for the same differences."
    findings: tuple[Finding, ...] = ()
    """The differences."""
    writers: tuple[By, ...] = ()
    """Who else wrote or deleted these versions since the release last changed, in the last 24 hours, by the Activity
    Log. A record can be 20 minutes
    late, so whoever did it may be missing; empty, too, if the app may not read the log."""
    repair: bool = False
    """Whether Ringmaster repairs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRepaired(ReleaseEvent):
    TYPE: ClassVar = "Ringmaster.Release.DriftRepaired"
    WHEN: ClassVar = "The gallery has what Ringmaster published again."


EVENTS: Final[Mapping[str, type[ReleaseEvent]]] = {
    STARTED: Started,
    "validated": Validated,
    "qualified": Qualified,
    "replicated": Replicated,
    "replicated_untested": Replicated,
    "ahead_replicated": ReplicatedAhead,
    "ring_tested": Tested,
    "baked": Baked,
    "approval_wanted": ApprovalWanted,
    "approval_overdue": ApprovalOverdue,
    "approved": Approved,
    "ring_scanned": RingScanned,
    RING_PUBLISHED: Published,
    "last_ring_published": Released,
    "rejected": Rejected,
    "version_gone": Rejected,
    "superseded": Superseded,
    "held_back": Held,
    HELD: Held,
    "hold_lifted": Resumed,
    RESUMED: Resumed,
    STALLED: Stalled,
    UNSTALLED: Unstalled,
    "policy_changed": Restarted,
    "number_reused": Restarted,
    "version_returned": Restarted,
    "validation_retried": Retried,
    "qualification_retried": Retried,
    "ring_retried": Retried,
    "alerted": RescanFailed,
    "health_failed": RingUnhealthy,
    "health_hides": RingUnhealthy,
    "revoke_ordered": RevocationStarted,
    "revoked": Revoked,
    "users_listed": UsersListed,
    "restore_ordered": Restored,
    "exposed": Exposed,
    "hidden": Hidden,
    EMERGENCY: EmergencyPromotion,
    DRIFT_FOUND: DriftFound,
    DRIFT_REPAIRED: DriftRepaired,
}
"""The type of event by what an announcement is about. An outcome that is not here ends nothing and is not announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequested:
    """A request to scanners, which is about an image and not about its release."""

    TYPE: ClassVar = "Ringmaster.ScanRequested"
    WHEN: ClassVar = "A version needs another scan. At most once a day for each version."
    version: str
    """Resource id of the image version to scan."""
    why: str
    """Why, in a sentence."""
    last_judged: datetime | None
    """When a scan of it was last evaluated; null if never."""
    formats: tuple[str, ...] = ()
    """Report formats that the policy accepts."""
    required: tuple[str, ...] = ()
    """Formats or scanners that the policy requires."""


TYPES: Final[Mapping[str, type[ReleaseEvent | ScanRequested]]] = {
    each.TYPE: each for each in (*EVENTS.values(), ScanRequested)
}
"""Every type of CloudEvent, by its name."""
