"""The sections of ``promotion.yaml`` about people and the calendar: access, approvals, publish windows and freezes."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shared.domain.identifiers import GUID
from shared.domain.publish_window import Window
from shared.policy_file.fields import MINUTE_TO_90_DAYS, Duration, NonBlank
from shared.policy_file.section import Section

Id = Annotated[str, Field(pattern=f"^{GUID}$")]
Ids = list[Id]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value[:80]!r} is no IANA time zone, such as Europe/Berlin or UTC") from error
    return value


def clock(value: str) -> time:
    """``09:30`` as a time. Raises ValueError."""
    found = _CLOCK.fullmatch(value)
    if found is None:
        raise ValueError(f"{value[:80]!r} is no time of the day: HH:MM is expected, as 09:30")
    return time(int(found[1]), int(found[2]))


def _clock_text(value: str) -> str:
    clock(value)
    return value


def _moment(value: object) -> object:
    """A time with its offset, as YAML reads it or as text."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value[:80]!r} is no time: use 2026-12-20T18:00+01:00") from error
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no offset: use 2026-12-20T18:00+01:00, or Z for UTC")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[str, AfterValidator(_clock_text)]
Moment = Annotated[datetime, BeforeValidator(_moment)]


class AccessSection(Section):
    """Who may do what, by the object ids of users, groups and service principals in Microsoft Entra.

    An admin may do everything; whoever has any role may read.
    """

    readers: Ids = Field(default_factory=list, description="See releases, evidence and pages")
    operators: Ids = Field(
        default_factory=list, description="Hold, resume, retry and resend releases, and revoke versions"
    )
    approvers: Ids = Field(default_factory=list, description="Approve a ring, or reject a version")
    admins: Ids = Field(
        default_factory=list, description="Everything, also skip a bake time, restore, and promote in an emergency"
    )


class ApprovalSection(Section):
    """Whose approval a ring needs before it is published."""

    count: int = Field(1, ge=1, le=10, description="How many people must approve")
    approvers: Ids = Field(
        default_factory=list,
        description="Object ids of users and groups. Left out: everybody with the role approver",
    )
    builder_may_approve: bool = Field(
        False, description="Whether whoever built the version may approve it, where the builder is known"
    )
    within: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(days=7), description="How long the release waits for its approvals"
    )
    at_deadline: Literal["hold", "reject", "remind"] = Field(
        "hold",
        description="When they are not complete in time: wait and show the release as stalled (`hold`), reject the "
        "version, or send the CloudEvent again and wait as long once more (`remind`)",
    )


class WindowSection(Section):
    """Hours of some days of the week in which a ring may be published, or bakes, by the wall clock of a time zone."""

    days: list[Day] = Field(
        default_factory=lambda: list(DAYS[:5]), min_length=1, description="Left out: Monday to Friday"
    )
    opens: Clock = Field(description="Time of the day, as `09:00`")
    closes: Clock = Field(
        description="Time of the day at which it closes, not included; on the next day where it is not after `opens`"
    )
    time_zone: Zone = Field(description="IANA time zone, as `Europe/Berlin` or `UTC`")
    holidays: list[date] = Field(default_factory=list, description="Days on which it does not open, as 2026-12-25")


def window_of(section: WindowSection) -> Window:
    """The window that a section states."""
    return Window(
        days=frozenset(map(DAYS.index, section.days)),
        opens=clock(section.opens),
        closes=clock(section.closes),
        zone=section.time_zone,
        holidays=frozenset(section.holidays),
    )


class DayLimitSection(Section):
    """How many rings a release may be published in on one day. You can write just the number: days are then in UTC."""

    rings: int = Field(ge=1, le=100, description="Number of rings")
    time_zone: Zone = Field("UTC", description="IANA time zone in which a day begins and ends")

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: object) -> object:
        return {"rings": value} if isinstance(value, int) and not isinstance(value, bool) else value


class FreezeSection(Section):
    """A time in which no ring is published."""

    begins: Moment = Field(description="As 2026-12-20T18:00+01:00")
    ends: Moment = Field(description="As 2027-01-04T08:00+01:00; not included")
    reason: NonBlank = Field(description="Shown to whoever waits")
    definitions: list[str] = Field(default_factory=list, description="Names of definitions. Left out: all of them")

    @model_validator(mode="after")
    def _ordered(self) -> FreezeSection:
        if self.begins >= self.ends:
            raise ValueError("a freeze must end after it begins")
        return self


class EmergencySection(Section):
    """What an emergency promotion may skip. Proofs (validation, scan, boot test, replication) are never skipped."""

    skip: list[Literal["bake", "approval", "window", "health"]] = Field(
        default_factory=list,
        description="`bake`: the rest of the bake time; `approval`: missing approvals; `window`: publish windows, "
        "freezes, the maximum number of rings a day, and the wait for an older version; `health`: the health of the "
        "ring before, failed or not known yet. Left out: no emergency promotion",
    )
