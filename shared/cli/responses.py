"""The app's HTTP responses as typed objects. Unknown fields are ignored."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.cli.exit_codes import RequestFailed


class Waiting(msgspec.Struct):
    """Pending work of a release."""

    what: str
    next_look: datetime
    deadline: datetime
    step: str | None = None
    attempt: int = 0
    waits_for: str | None = None
    stalled: str | None = None
    fault: str | None = None


class Person(msgspec.Struct):
    """Who acted."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


class Action(msgspec.Struct):
    """An action that was taken."""

    action: str
    by: Person
    at: datetime
    ring: str | None = None
    reason: str = ""
    evidence: str = ""


class Approvals(msgspec.Struct):
    """The approvals of the ring that a release is in."""

    ring: str
    needed: int
    missing: int
    given: list[Action] = []


class Summary(msgspec.Struct):
    """Summary of a release."""

    version_id: str
    name: str
    state: str
    started_at: datetime
    updated_at: datetime
    ring: str | None = None
    ahead: dict[str, str] = {}
    reasons: list[str] = []
    warnings: list[str] = []
    published: dict[str, list[str]] = {}
    waiting_for: list[Waiting] = []
    stalled: dict[str, str] = {}
    drift: list[str] = []
    seconds: float = 0.0
    settled: bool = False
    hold: Action | None = None


class Verdict(msgspec.Struct):
    """The verdict of a gate."""

    gate: str
    answer: str
    at: datetime
    ring: str | None = None
    region: str | None = None
    reasons: list[str] = []
    evidence: str = ""


class HistoryEntry(msgspec.Struct):
    """An entry in a release's history."""

    at: datetime
    text: str


class RuleFinding(msgspec.Struct):
    """A finding of a rule of validation."""

    rule: str
    severity: str
    text: str


class Writer(msgspec.Struct, rename="camel"):
    """Who wrote a version, by the Activity Log."""

    at: datetime
    caller: str = ""
    application: str = ""


class ActivityLog(msgspec.Struct, rename="camel"):
    """Who created a version and last wrote it; ``unread`` is why the log could not be read."""

    created: Writer | None = None
    last_written: Writer | None = None
    unread: str | None = None


class AppliedRules(msgspec.Struct, rename="camel"):
    """The rules of the last validation, by id with their severity, and what they found."""

    severities: dict[str, str] = {}
    findings: list[RuleFinding] = []
    activity_log: ActivityLog | None = None


class RuleSettings(msgspec.Struct):
    """The severity of every rule, by id."""

    severities: dict[str, str] = {}


class ValidationFacts(msgspec.Struct, rename="camel"):
    """The facts of a validation that are shown."""

    activity_log: ActivityLog | None = None


class Validation(msgspec.Struct, rename="camel"):
    """The verdict on a version's metadata by the present policy."""

    version: str
    name: str
    outcome: str
    findings: list[RuleFinding] = []
    rules: RuleSettings = msgspec.field(default_factory=RuleSettings)
    facts: ValidationFacts = msgspec.field(default_factory=ValidationFacts)

    def applied(self) -> AppliedRules:
        """The rules and findings, as an explanation has them."""
        return AppliedRules(self.rules.severities, self.findings, self.facts.activity_log)


class Explanation(Summary, kw_only=True):
    """Details of a release."""

    incarnation: str | None = None
    policy_digest: str = ""
    builder: str | None = None
    gates: list[Verdict] = []
    validation: AppliedRules | None = None
    actions: list[Action] = []
    approvals: Approvals | None = None
    history: list[HistoryEntry] = []


class DeadLetter(msgspec.Struct):
    """A message that could not be processed."""

    id: str
    queue: str
    reason: str
    at: datetime
    release: str | None = None


class Overview(msgspec.Struct):
    """All releases, and the messages that could not be processed."""

    releases: list[Summary]
    dead_letters: list[DeadLetter] = msgspec.field(name="deadLetters", default_factory=list)


class Taken(msgspec.Struct):
    """An action that was taken, and the release after it. ``repeated`` if the same request had been received before."""

    action: str
    by: Person
    at: datetime
    release: Summary
    evidence: str = ""
    repeated: bool = False


class RegionPlan(msgspec.Struct):
    """What ``latest`` resolves to in a region before and after a revocation; None for nothing."""

    before: str | None = None
    after: str | None = None


class GalleryPlan(msgspec.Struct):
    """What a revocation does to one image definition."""

    definition: str
    gallery: str
    changes: bool
    latest: dict[str, RegionPlan] = {}
    emptied: list[str] = []


class User(msgspec.Struct):
    """A resource that uses a version."""

    id: str
    kind: str
    name: str
    refers: str
    subscription: str = ""
    location: str = ""
    generation: int = 0
    via: str | None = None
    instances: int | None = None
    power: str | None = None
    source: str = "list"


class Descendant(msgspec.Struct):
    """A resource that was made from a version."""

    id: str
    kind: str
    generation: int
    parent: str = ""
    covered: bool = False


class InUse(msgspec.Struct, rename="camel"):
    """Who uses a version, and whether everything could be looked at."""

    version: str
    complete: bool
    incomplete: list[str] = []
    waived: list[str] = []
    counts: dict[str, int] = {}
    users: list[User] = []
    users_left_out: int = 0
    descendants: list[Descendant] = []
    descendants_left_out: int = 0


class RevocationPlan(msgspec.Struct, rename="camel"):
    """What a revocation would do."""

    version: str
    state: str | None = None
    galleries: list[GalleryPlan] = []
    leaves_empty: list[str] = []
    allowed_to_leave_empty: bool = False
    in_use: InUse | None = None
    descendants: str = "report"


class LatestRow(msgspec.Struct, rename="camel"):
    """What each kind of consumer gets in a region; None for nothing."""

    region: str
    ring: str | None = None
    arm: str | None = None
    scale_set_upgrades: str | None = None
    newest_date: str | None = None
    highest_number: str | None = None
    own_flag: str | None = None


class LatestTable(msgspec.Struct):
    """The latest version of one image definition."""

    definition: str
    gallery: str
    regions: list[LatestRow] = []
    warnings: list[str] = []


class Latest(msgspec.Struct):
    """The latest version in every image definition that a definition's rings publish in."""

    name: str
    definitions: list[LatestTable] = []


class Twin(msgspec.Struct, rename="camel"):
    """A standing twin, and what it lacks."""

    ring: str
    complete: bool
    point_to: str
    instead_of: list[str] = []
    regions: list[str] = []
    version: str | None = None
    missing: list[str] = []


class Failover(msgspec.Struct):
    """The standing twins of a definition."""

    name: str
    twins: list[Twin] = []


class Identity(msgspec.Struct, rename="camel"):
    """Who the app says that the user is, and the user's roles by name of the definition."""

    id: str
    name: str = ""
    groups: int = 0
    groups_left_out: bool = False
    roles: dict[str, list[str]] = {}


def decode[T](body: bytes, kind: type[T]) -> T:
    """Decode a response. Raises RequestFailed when it has an unexpected format."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise RequestFailed(
            f"the response has an unexpected format ({error}); it starts with {start!r}. "
            "Check that RINGMASTER_URL is the URL of a Ringmaster app of the same version."
        ) from error
