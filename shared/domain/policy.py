"""The policy as the domain sees it: which definitions, which rings, which gates, which limits.

Frozen values without any reading or checking of files; ``shared.policy_file`` builds them from ``promotion.yaml`` and
reports every fault with its line. A definition's digest covers everything that can change a verdict for it, so that
evidence gathered under one policy is never used under another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from shared.domain.access import Access
from shared.domain.boot_test.console_patterns import PatternSeverity
from shared.domain.boot_test.own_checks import BaselineRules, OwnCheck
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.domain.fleet import Fleet, Prices
from shared.domain.health_rules import HealthRules
from shared.domain.image import DefinitionId, VersionId
from shared.domain.publish_window import Freeze, Window
from shared.domain.scan_formats import TRIVY
from shared.domain.usage import InUseRules
from shared.domain.validation.policy import EndOfLifeRules, NumberRules, OwnerRules, Waiver
from shared.domain.validation.rule import RuleSeverity


class Severity(StrEnum):
    """Severity of a finding, most severe first. A severity that a scanner did not state is UNKNOWN, never the least."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEGLIGIBLE = "negligible"
    UNKNOWN = "unknown"


class VisibleBeforeProof(StrEnum):
    """What to do with a version that is visible to ``latest`` and not proven."""

    HIDE = "hide"
    """Hide it before it is judged, and again when its release ends without proof."""
    WARN = "warn"
    REJECT = "reject"


class FailedRescanAction(StrEnum):
    """What Ringmaster does when a published version fails a later scan."""

    ALERT = "alert"
    """A warning on the release, and a CloudEvent."""
    HOLD = "hold"
    """As ``ALERT``, and the release is not published in further rings until a scan passes."""
    REVOKE = "revoke"
    """Revoke the version: exclude it from ``latest`` in all regions."""


@dataclass(frozen=True, slots=True)
class RegionTarget:
    """A region of a ring: its short name, replica count and storage account type."""

    name: str
    replicas: int = 1
    storage: str = "Standard_LRS"


class EventDetail(StrEnum):
    """Which events are published about a release."""

    ALL = "all"
    """Every transition."""
    MILESTONES = "milestones"
    """What consumers and people must know: publications, ends, approvals, holds, revocations and stalls."""


class DriftAction(StrEnum):
    """What Ringmaster does when a gallery no longer has what it published."""

    REPORT = "report"
    REPAIR = "repair"


class ApprovalDeadline(StrEnum):
    """What follows when the approvals of a ring are not complete in time."""

    HOLD = "hold"
    """The release waits, and is shown as stalled."""
    REJECT = "reject"
    """The release is rejected."""
    REMIND = "remind"
    """A CloudEvent says so again, and the release waits as long once more."""


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Whose approval a ring needs before it is published."""

    count: int = 1
    """How many people must approve."""
    approvers: frozenset[str] = frozenset()
    """Object ids of users and groups, in lower case; empty for everybody with the role approver."""
    builder_may_approve: bool = False
    within: timedelta = timedelta(days=7)
    """How long the release waits for its approvals."""
    at_deadline: ApprovalDeadline = ApprovalDeadline.HOLD


class Ahead(StrEnum):
    """Which rings get their replicas and boot tests before it is their turn. Publications keep their order."""

    NONE = "none"
    NEXT = "next"
    """The next ring, while this one bakes or waits for approval."""
    ALL = "all"
    """Every ring, right after qualification: one write for all rings of a version."""


class Skippable(StrEnum):
    """A condition that an emergency promotion may skip, where the policy names it."""

    BAKE = "bake"
    APPROVAL = "approval"
    HEALTH = "health"
    """The health of the ring before: one that failed, or is not known yet."""
    WINDOW = "window"
    """Publish windows, freezes, the maximum number of rings a day, and the wait for an older version."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One named step of a rollout.

    ``definition`` is where the ring's versions live: the source definition, or one in another gallery, to which the
    version is copied under the same number. ``bake`` counts from the publication in the previous ring (for the first
    ring, from the end of qualification).
    """

    name: str
    definition: DefinitionId
    regions: tuple[RegionTarget, ...]
    bake: timedelta = timedelta(0)
    bake_in: Window | None = None
    """The hours in which the bake time counts; None for all."""
    boot_test: bool = True
    reboot: bool = True
    """Whether the machines of the ring are restarted, where the definition's rules say so."""
    scan: ScanRules | None = None
    """Scan rules of the ring, by which the stored reports are evaluated again before publication."""
    approval: ApprovalRules | None = None
    windows: tuple[Window, ...] = ()
    """When the ring may be published; empty for always."""
    health: HealthRules | None = None
    """How what follows the ring is watched after its publication; None for not at all."""
    fleet: Fleet | None = None
    standby: bool = False
    """Whether the ring is a standing twin, to which consumers go when the other rings' galleries are lost."""

    @property
    def region_names(self) -> tuple[str, ...]:
        return tuple(region.name for region in self.regions)


class Pattern(Protocol):
    """A regular expression. Those of the policy file take linear time. ``re.Pattern`` has the same methods."""

    @property
    def pattern(self) -> str: ...
    def search(self, text: str, /) -> object: ...
    def fullmatch(self, text: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class ValidationRules:
    """Rules for a version's metadata."""

    required_tags: Mapping[str, Pattern | None] = field(default_factory=dict[str, Pattern | None])
    """Tag name -> pattern for the whole value, or None for any value."""
    min_disk_gb: int = 1
    max_disk_gb: int = 2048
    visible_before_proof: VisibleBeforeProof = VisibleBeforeProof.HIDE
    ready_within: timedelta = timedelta(hours=8)
    """How long a version may be in the state Creating. Azure documents up to six hours for replication."""
    severities: Mapping[str, RuleSeverity] = field(default_factory=dict[str, RuleSeverity])
    """By id, rules of validation that have another severity than their own."""
    waivers: tuple[Waiver, ...] = ()
    sources: tuple[str, ...] = ()
    """Approved sources: ids of resources, or of what contains them; ``*`` stands for any text within a segment. Empty
    for any source."""
    builders: frozenset[str] = frozenset()
    """Application and object ids that may create versions, in lower case; empty for anybody."""
    numbers: NumberRules | None = None
    end_of_life: EndOfLifeRules | None = None
    owner: OwnerRules | None = None
    headroom: int = 10
    """Share of a limit of Azure that must be left, in per cent."""


@dataclass(frozen=True, slots=True)
class ScanException:
    """An exception: allows a finding until an expiry date. An expired exception has no effect."""

    id: str
    owner: str
    reason: str
    expires: datetime
    package: str | None = None
    """A package's name, or a prefix of a package URL (``pkg:deb/ubuntu/openssl``) that ends at a separator."""
    aliases: tuple[str, ...] = ()
    """Further names of the vulnerability."""
    source: str = ""
    """The VEX document of the exception; empty for the policy file."""


@dataclass(frozen=True, slots=True)
class ScanRules:
    """Scan rules. ``limits`` is the maximum count by severity; a severity that is not in it has no limit."""

    limits: Mapping[Severity, int]
    formats: tuple[str, ...] = (TRIVY,)
    deadline: timedelta = timedelta(hours=24)
    """How long a release waits for a usable scan report before it is rejected."""
    max_age: timedelta = timedelta(days=7)
    only_fixable: bool = False
    """Count only findings for which a fixed version exists."""
    exceptions: tuple[ScanException, ...] = ()
    allow_end_of_life_os: bool = False
    """Whether an operating system that no longer receives security fixes is allowed."""
    trust_suppressions: bool = False
    """Whether findings that the scanner suppresses are left out. Otherwise, they count like all others."""
    required: tuple[str, ...] = ()
    """Formats or scanners, by name, each of which must have a usable report."""
    max_score: float | None = None
    """Maximum CVSS base score, 0 to 10; None for no limit."""
    max_epss: float | None = None
    """Maximum probability of exploitation within 30 days (EPSS), 0 to 1; None for no limit."""
    fix_grace: timedelta = timedelta(0)
    """Grace period: a finding counts only after its fix has been available for this long, or if the time is unknown."""
    no_new: tuple[Severity, ...] = ()
    """Severities of which no new finding is allowed, compared with the published version."""
    improvement_passes: bool = False
    """Whether a version above a limit passes with fewer findings than the published version and no new ones."""
    on_failed_rescan: FailedRescanAction = FailedRescanAction.ALERT
    rescan_after: timedelta | None = None
    """Maximum age of the last evaluated scan of a published version; None for ``max_age``."""
    hold_for: timedelta = timedelta(days=14)
    """How long a held release waits for a scan that passes before it ends."""
    revoke_to_empty: bool = False
    """Whether to revoke a version even if ``latest`` is then empty in a region."""


class Twins(StrEnum):
    """What to do about identities that two machines of one version share."""

    COMPARED = "compared"
    """Compare the machines of all boot tests of a release, and reject the version."""
    PAIR = "pair"
    """As ``COMPARED``, and the smoke test boots a second machine."""
    IGNORED = "ignored"


class ConsoleRule(StrEnum):
    """What a blank serial console means."""

    REQUIRED = "required"
    """The test fails. It is repeated once on a fresh machine."""
    EXPECTED = "expected"
    """A warning, if everything else passed."""
    IGNORED = "ignored"
    """The console is not read."""


class SlowBoot(StrEnum):
    """What to do with a version that boots slower than the published one."""

    WARN = "warn"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class BootRules:
    """Settings and time limits of boot tests."""

    vm_sizes: tuple[str, ...] = ("Standard_D2s_v5",)
    """Sizes of the test machine, in the order in which they are tried."""
    vm_sizes_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By region, where others are tried."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further tags of the test machine and everything that is created with it."""
    disk_encryption_set: str | None = None
    """Resource id; ``{region}`` stands for the region's short name."""
    ready_within: timedelta = timedelta(minutes=40)
    """Time limit until the VM is provisioned *and* its agent is ready. OS provisioning alone can take 20 minutes."""
    probe_within: timedelta = timedelta(minutes=15)
    serial_fail: tuple[Pattern, ...] = ()
    """Additional patterns of console lines that fail the test."""
    serial_ignore: tuple[Pattern, ...] = ()
    checks: Mapping[str, CheckSeverity] = field(default_factory=dict[str, CheckSeverity])
    """By id of a check of the probe, its severity where it is not the default."""
    ignore_units: tuple[str, ...] = ()
    """Shell patterns of units of systemd that may fail."""
    own_checks: tuple[OwnCheck, ...] = ()
    baseline: BaselineRules | None = None
    console: ConsoleRule = ConsoleRule.EXPECTED
    console_patterns: Mapping[str, PatternSeverity | None] = field(default_factory=dict[str, PatternSeverity | None])
    """Other severities of built-in patterns, by name; None for a pattern that is ignored."""
    reboot: bool = True
    """Whether the machine is restarted, and must come back with the same identity and pass the probe again."""
    reboot_within: timedelta = timedelta(minutes=15)
    """Time limit from the restart until the agent is ready again."""
    twins: Twins = Twins.COMPARED
    max_slowdown: float | None = None
    """How many times as long as the published version a boot may take; None if boot times are not compared."""
    on_slow_boot: SlowBoot = SlowBoot.WARN

    @property
    def longest(self) -> timedelta:
        """The longest time that one machine of a test is needed for."""
        again = self.reboot_within + self.probe_within if self.reboot else timedelta(0)
        return self.ready_within + self.probe_within + again

    def reboots(self, ring: Ring | None) -> bool:
        """Whether the machines of a ring, or of the smoke test (None), are restarted."""
        return self.reboot and (ring is None or ring.reboot)

    def sizes_in(self, region: str) -> tuple[str, ...]:
        """The sizes that are tried in a region, in order."""
        return self.vm_sizes_in.get(region, self.vm_sizes)

    def disk_encryption_set_in(self, region: str) -> str | None:
        """The disk encryption set for machines of a region; None when the policy names none."""
        return None if self.disk_encryption_set is None else self.disk_encryption_set.replace("{region}", region)


@dataclass(frozen=True, slots=True)
class ReplicationRules:
    """Time limit of replication, and number of repairs."""

    complete_within: timedelta = timedelta(hours=8)
    repairs: int = 3


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """Which versions are kept: the newest published ones, and those that are younger than ``min_age``."""

    keep: int = 3
    min_age: timedelta = timedelta(days=30)


class Supersede(StrEnum):
    """What happens to the release of a version when a newer version of its definition is under way."""

    BOTH = "both"
    """Both go on. Whichever is published first, the older one is never published after the newer one."""
    NEWEST = "newest"
    """The older one ends when the newer one has passed scan and smoke test."""
    QUEUE = "queue"
    """The newer one is not published before the older one has ended."""


@dataclass(frozen=True, slots=True)
class DayLimit:
    """How many rings a release may be published in on one day of a time zone."""

    rings: int
    zone: str = "UTC"


class DescendantRule(StrEnum):
    """What to do with the versions that were made from a revoked one."""

    REPORT = "report"
    """Name them in the evidence."""
    REVOKE = "revoke"
    """Revoke those that the policy covers, too."""


@dataclass(frozen=True, slots=True)
class RevocationRules:
    """What follows a revocation."""

    descendants: DescendantRule = DescendantRule.REPORT


@dataclass(frozen=True, slots=True)
class DefinitionPolicy:
    """The policy for one source image definition."""

    name: str
    source: DefinitionId
    rings: tuple[Ring, ...]
    scan: ScanRules
    digest: str
    """SHA-256 (hex) over the canonical form of this definition's whole section, test environment included."""
    validation: ValidationRules = field(default_factory=ValidationRules)
    boot: BootRules = field(default_factory=BootRules)
    replication: ReplicationRules = field(default_factory=ReplicationRules)
    retention: RetentionRules = field(default_factory=RetentionRules)
    access: Access = field(default_factory=Access)
    """Who may do what with its versions."""
    freezes: tuple[Freeze, ...] = ()
    emergency_skips: frozenset[Skippable] = frozenset()
    """What an emergency promotion may skip."""
    max_rings_per_day: DayLimit | None = None
    supersede: Supersede = Supersede.BOTH
    events: EventDetail = EventDetail.ALL
    drift: DriftAction = DriftAction.REPORT
    revocation: RevocationRules = field(default_factory=RevocationRules)
    ahead: Ahead = Ahead.NEXT

    def ring(self, name: str) -> Ring:
        """The ring of that name. Raises KeyError when the policy has none."""
        for ring in self.rings:
            if ring.name == name:
                return ring
        raise KeyError(name)

    def ring_before(self, name: str) -> Ring | None:
        """The ring before one; None before the first, and for one that the policy does not have."""
        names = [ring.name for ring in self.rings]
        index = names.index(name) if name in names else 0
        return self.rings[index - 1] if index else None

    def ring_after(self, name: str | None) -> Ring | None:
        """The ring that follows, or the first one for None; None after the last."""
        names = [ring.name for ring in self.rings]
        index = 0 if name is None else names.index(name) + 1
        return self.rings[index] if index < len(self.rings) else None


@dataclass(frozen=True, slots=True)
class TestEnvironment:
    """Where boot tests create machines. Ringmaster deletes only resources here with its tag and name prefix."""

    __test__ = False  # not a test case, whatever its name suggests to pytest

    subscription: str
    resource_group: str
    subnet: str
    """Subnet resource id; ``{region}`` stands for the region's short name."""

    def subnet_in(self, region: str) -> str:
        """The subnet for boot-test machines of a region."""
        return self.subnet.replace("{region}", region)


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy: one test environment and the definitions that are released."""

    test: TestEnvironment
    definitions: Mapping[DefinitionId, DefinitionPolicy]
    access: Access = field(default_factory=Access)
    """Who may do what everywhere."""
    prices: Prices | None = None
    in_use: InUseRules = field(default_factory=InUseRules)
    """Where to look for users of a version."""

    def covering(self, version: VersionId) -> DefinitionPolicy | None:
        """The policy of the version's definition, or None if the policy does not cover it.

        A version in another gallery that a ring copies *to* is not covered: it is a copy, not a build.
        """
        return self.definitions.get(version.definition)

    @property
    def galleries_written(self) -> frozenset[str]:
        """Ids of every gallery the policy allows writing to."""
        return frozenset(
            str(ring.definition.gallery) for definition in self.definitions.values() for ring in definition.rings
        ) | frozenset(str(source.gallery) for source in self.definitions)

    @property
    def looked_at(self) -> InUseRules:
        """Where to look for users. Without subscriptions of their own, the rules mean all that the policy names."""
        if self.in_use.subscriptions:
            return self.in_use
        sources = (each.gallery.subscription for each in self.definitions)
        rings = (ring.definition.gallery.subscription for each in self.definitions.values() for ring in each.rings)
        return replace(self.in_use, subscriptions=tuple(sorted({self.test.subscription.lower(), *sources, *rings})))
