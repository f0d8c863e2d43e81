"""What a command carries from hop to hop: one frozen type for each step of each stage.

The type says which step comes next; its fields are what that step needs to know of the hops before it. A stage matches
on the type, so that no step can meet the state of another. On the wire a state is one flat JSON object, whose ``step``
names the type (``shared.codec.hop_states``). An object that fits no type of its kind is kept as an ``UnreadableState``:
the row stays readable, and the engine stalls the branch with the path of what is wrong.

    >>> state = CreateMachine(vm="rm-0123456789ab", tries=1)
    >>> carried(DeleteMachine, state, reasons=("the machine disappeared",))
    DeleteMachine(vm='rm-0123456789ab', since=None, tries=1, ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Final

from shared.domain.boot_test.failures import FailureCause
from shared.domain.boot_test.identities import BootedMachine
from shared.domain.facts import RegionTargetFacts
from shared.domain.image import VersionNumber
from shared.domain.report_reference import ReportReference

type LatestChange = Mapping[str, Mapping[str, str | None]]
"""For each region, which version number was ``latest`` ``before`` a write and is expected to be ``after`` it."""


@dataclass(frozen=True, slots=True)
class HopState:
    """Base class of all states."""

    STEP: ClassVar[str | None] = None
    """The step on the wire; None where a kind of command has only one."""


@dataclass(frozen=True, slots=True)
class NoState(HopState):
    """A command that carries nothing: a hint, or the first command of a branch."""


@dataclass(frozen=True, slots=True)
class UnreadableState(HopState):
    """An object that fits no state of its kind of command: ``reason`` says what is wrong and where, as ``$.path``."""

    raw: Mapping[str, Any]
    reason: str = field(default="", compare=False)


# --- validation, scan, announcement -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AwaitVersion(HopState):
    """Validation waits, since a time, until the version is complete."""

    since: datetime


@dataclass(frozen=True, slots=True)
class AwaitScan(HopState):
    """The scan gate waits for a report until a deadline."""

    deadline: datetime


@dataclass(frozen=True, slots=True)
class ReportArrived(HopState):
    """A hint: this report is in the report store."""

    report: str


@dataclass(frozen=True, slots=True)
class ReportRefused(HopState):
    """A hint: a report was refused. ``refused`` is the line for the history, ``evidence`` names the document."""

    refused: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class FetchOrder(HopState):
    """A report to fetch: its format, where it is, its SHA-256 in lower-case hex, and who sent the reference."""

    format: str
    url: str
    sha256: str
    sender: str

    @property
    def reference(self) -> ReportReference:
        """Where the report is, and what it must be."""
        return ReportReference(self.url, self.sha256)


@dataclass(frozen=True, slots=True)
class Announce(HopState):
    """Announce an outcome: the name of a ``lifecycle.Outcome`` in lower case, or another name in ``events.EVENTS``.

    What the row says later may be something else, so the announcement keeps what was so when it happened. Rows of 0.1.0
    have the outcome alone.
    """

    outcome: str
    at: datetime | None = None
    state: str = ""
    """The release's state after the event."""
    why: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Plain JSON values of fields that only this type of event has, by name."""


# --- replication ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate(HopState):
    """Replication of a ring: what Azure cannot tell."""

    since: datetime
    """When the ring's replication began."""
    progress: Mapping[str, int] = field(default_factory=dict[str, int])
    """Percent for each region, as last seen."""
    looked_at: datetime | None = None
    repairs: int = 0
    """Repairs that Azure accepted."""
    repaired_at: datetime | None = None
    removed: tuple[RegionTargetFacts, ...] = ()
    """Target regions that a repair removed, to be added again."""
    refused: int = 0
    """How often Azure refused the next repair."""
    mended: int = 0
    """How often the version was written again as it is, because its last update had failed."""


# --- boot test --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTestState(HopState):
    """What every step of a boot test knows: its machine's name, and its history of attempts."""

    vm: str
    since: datetime | None = None
    """When Azure first refused the machine."""
    tries: int = 0
    """Machines of this test that failed before this one, or refusals by the platform."""
    absences: int = 0
    """How many times Azure accepted the machine, but it did not exist afterwards."""
    machines: int = 0
    """Machines that Azure accepted for this test since the last ``resend``."""
    placement: int = 0
    """Position in the list of sizes and zones to try, which begins again after its end."""
    flakes: tuple[str, ...] = ()
    """What ambiguous failures of earlier machines said. If a later machine passes, they are warnings."""
    twin: BootedMachine | None = None
    """The first machine of a smoke test that boots a pair, while the second is tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMachine(BootTestState):
    """Request the machine."""

    STEP: ClassVar[str | None] = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState(BootTestState):
    """Facts about a requested machine. Cleanup can start before any of them is known."""

    region: str = ""
    size: str | None = None
    """The size and zone that the platform accepted, for people."""
    began: datetime | None = None
    parts: tuple[str, ...] = ()
    """Resource ids of everything that the machine is made of."""
    ready_at: datetime | None = None
    failed_at: datetime | None = None
    agent: str | None = None
    probe: str | None = None
    """The name of the run command."""
    nonce: str | None = None
    answers: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = ()
    mark: str | None = None
    """What differs for each boot: the boot id, or the time of the boot, at the first probe."""
    identities: Mapping[str, str] = field(default_factory=dict[str, str])
    """Digests of the machine's identities at the first probe."""
    restarted_at: datetime | None = None
    back_by: datetime | None = None
    """Until when the machine must be ready again after its restart."""
    has_console: bool = False
    """Whether something readable was on the serial console when it was read."""
    seconds: Mapping[str, int] = field(default_factory=dict[str, int])
    """Azure's time for each phase."""
    compared_with: str | None = None
    """The version that the times were compared with, or why there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitProvisioning(MachineState):
    """Wait until the operating system is provisioned and the agent is ready."""

    STEP: ClassVar[str | None] = "provision"
    deadline: datetime
    polls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitProbe(MachineState):
    """Wait until the probe has finished."""

    STEP: ClassVar[str | None] = "probe"
    deadline: datetime
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReboot(MachineState):
    """Wait until the machine is ready again after its restart."""

    STEP: ClassVar[str | None] = "reboot"
    deadline: datetime
    polls: int = 0


@dataclass(frozen=True, slots=True)
class BootFailure:
    """What failed before the console was read, and what it is attributed to."""

    blame: FailureCause
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConsole(MachineState):
    """Read the serial console and settle the verdict."""

    STEP: ClassVar[str | None] = "console"
    looks: int = 0
    failure: BootFailure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMachine(MachineState):
    """Delete the machine. The verdict is final: ``blame`` None means that the test passed."""

    STEP: ClassVar[str | None] = "delete"
    reasons: tuple[str, ...] = ()
    blame: FailureCause | None = None
    console: tuple[str, ...] = ()
    """Lines of the console that fail the test or are warnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitDeletion(DeleteMachine):
    """Wait until the machine and everything that it was made of is gone."""

    STEP: ClassVar[str | None] = "gone"
    deleted_at: datetime


# --- promotion --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bake(HopState):
    """Wait for the ring's bake time."""

    STEP: ClassVar[str | None] = "bake"
    waits_for: str = ""
    """What it waits for after the bake time: the health of the ring before."""


@dataclass(frozen=True, slots=True)
class AwaitApproval(HopState):
    """Wait until the ring's approvals are given, or their deadline passes."""

    STEP: ClassVar[str | None] = "await approval"
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingState(HopState):
    """A step that writes to the gallery, or that follows one that did."""

    shown: tuple[str, ...] = ()
    """Regions of the ring that a write of this promotion made visible to ``latest``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(PublishingState):
    """Publish the ring."""

    STEP: ClassVar[str | None] = "publish"
    deadline: datetime | None = None
    """Until when a scan by the ring's own rules is waited for; None while none is."""
    mended: int = 0
    """How often the version was written again as it is, because its last update had failed."""
    waits_for: str = ""
    """What the publication waits for although everything is proven: a hold, a freeze or a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack(PublishingState):
    """Verify that ``latest`` resolves to the version in the ring."""

    STEP: ClassVar[str | None] = "read back"
    predicted: LatestChange
    reads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPublication(PublishingState):
    """Exclude a version without evidence that a write made visible."""

    STEP: ClassVar[str | None] = "take back"


# --- health -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(HopState):
    """Look at the health of a published ring."""

    until: datetime
    """When the watch ends, if the health is known."""
    failures: int = 0
    """Looks one after the other, up to the last one, that failed."""
    unknown: str = ""
    """Why the health was unknown after the end of the watch; empty before, and where it was not."""


# --- revocation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationState(HopState):
    """A revocation in progress. ``left`` and the keys of ``done`` are ids of image definitions."""

    left: tuple[str, ...] = ()
    done: Mapping[str, LatestChange] = field(default_factory=dict[str, LatestChange])
    allow_empty: bool = False
    """Revoke also where ``latest`` would then be nothing, whatever the policy says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginRevocation(RevocationState):
    """Begin a revocation that was ordered for a later time."""

    STEP: ClassVar[str | None] = "begin"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclude(RevocationState):
    """Exclude the version from ``latest`` in the first definition that is left; in all of them at the start."""

    STEP: ClassVar[str | None] = "exclude"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmExcluded(RevocationState):
    """Verify that ``latest`` does not resolve to the version in the first remaining definition."""

    STEP: ClassVar[str | None] = "read back"
    reads: int = 0
    replicas: tuple[str, ...] = ()
    """What was done about the replicas of the versions that take over, for people."""


# --- users of a revoked version ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListUsers(HopState):
    """Read the next pages of the lists of resources.

    What was read so far is in evidence documents, each of which names the one before: a row has no room for it.
    """

    STEP: ClassVar[str | None] = "list"
    last: str | None = None
    """The newest document; None at the beginning."""
    pages: int = 0
    faults: int = 0
    """How often the next page failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeDescendants(HopState):
    """Revoke the versions that were made from this one: those that are left."""

    STEP: ClassVar[str | None] = "revoke descendants"
    last: str
    since: datetime
    """When the lists were read. What was built later is another image."""
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUsers(HopState):
    """Record who uses the version."""

    STEP: ClassVar[str | None] = "record"
    last: str


# --- what others ask of a state ---------------------------------------------------------------------------------------


def latest_change(
    before: Mapping[str, VersionNumber | None], after: Mapping[str, VersionNumber | None]
) -> LatestChange:
    """What ``latest`` is before and after a write, by region, as states and evidence have it."""
    return {region: {"before": _number(was), "after": _number(after[region])} for region, was in before.items()}


def _number(number: VersionNumber | None) -> str | None:
    return None if number is None else str(number)


def carried[S: HopState](into: type[S], state: HopState, **changes: Any) -> S:
    """The next step's state: the fields that it shares with this one, and ``changes``."""
    shared = {each.name for each in fields(into)} & {each.name for each in fields(state)}
    return into(**({name: getattr(state, name) for name in shared} | changes))


def step_of(state: HopState) -> str | None:
    """The step as the wire names it."""
    if isinstance(state, UnreadableState):
        step = state.raw.get("step")
        return None if step is None else str(step)
    return state.STEP


def machine_of(state: HopState) -> str | None:
    """The name of the boot-test machine that a state is about; None when it names none.

    Also of a state that is not readable otherwise: a machine must be found as long as anything names it.
    """
    if isinstance(state, UnreadableState):
        vm = state.raw.get("vm")
        return vm if isinstance(vm, str) else None
    return state.vm if isinstance(state, BootTestState) else None


_WITH_DEADLINE: Final = (AwaitScan, AwaitProvisioning, AwaitProbe, AwaitReboot, AwaitApproval)


def deadline_of(state: HopState) -> datetime | None:
    """When a step gives up waiting, where it has a bound of its own; of a watch, when it ends."""
    if isinstance(state, Watch):
        return state.until
    return state.deadline if isinstance(state, _WITH_DEADLINE) else None


def waits_for(state: HopState) -> str | None:
    """What a step waits for beside its next look, for people; None where there is nothing to say."""
    return (state.waits_for or None) if isinstance(state, Bake | Publish) else None
