"""The sections of ``promotion.yaml`` about the health of a published ring."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from shared.domain.health_rules import (
    HealthRules,
    HttpRules,
    OnBreach,
    OnUnknown,
    ProvisioningRules,
    QueryRules,
    ScaleSetRules,
    ShareLimit,
)
from shared.domain.identifiers import GUID
from shared.domain.report_reference import InvalidReference, check_url, host_of
from shared.policy_file.fields import UP_TO_90_DAYS, Duration, between, shown
from shared.policy_file.section import Section

MOST_NAMED: Final = 25
"""Scale sets that one look reads."""
_SCALE_SET: Final = re.compile(
    rf"/subscriptions/{GUID}/resourceGroups/[-\w.()]{{1,90}}/providers/Microsoft\.Compute"
    r"/virtualMachineScaleSets/[-\w.]{1,64}",
    re.ASCII | re.IGNORECASE,
)
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", re.ASCII)
_FACTOR: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)x", re.ASCII)


def _scale_set(value: str) -> str:
    if not _SCALE_SET.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a scale set id: use /subscriptions/…/resourceGroups/…/providers/Microsoft.Compute"
            "/virtualMachineScaleSets/…"
        )
    return value


def share_of(value: str) -> float:
    """``5%`` as 0.05. Raises ValueError."""
    found = _SHARE.fullmatch(value)
    if found is None or float(found[1]) > 100:
        raise ValueError(f"{shown(value)} is no share: use 0% to 100%, such as 5%")
    return float(found[1]) / 100


def factor_of(value: str) -> float:
    """``2x`` as 2. Raises ValueError."""
    found = _FACTOR.fullmatch(value)
    if found is None or float(found[1]) < 1:
        raise ValueError(f"{shown(value)} is no factor: use 1x or more, such as 2x or 1.5x")
    return float(found[1])


def _share_text(value: str) -> str:
    share_of(value)
    return value


def _factor_text(value: str) -> str:
    factor_of(value)
    return value


def _address(value: str) -> str:
    try:
        check_url(value, {host_of(value)})
    except InvalidReference as error:
        raise ValueError(f"{shown(value)} is not an address to ask: {error}") from error
    return value


ScaleSetText = Annotated[str, AfterValidator(_scale_set)]
Share = Annotated[str, AfterValidator(_share_text), Field(json_schema_extra={"pattern": "^[0-9.]+%$"})]
Factor = Annotated[str, AfterValidator(_factor_text), Field(json_schema_extra={"pattern": "^[0-9.]+x$"})]
Address = Annotated[str, AfterValidator(_address), Field(max_length=500)]
Subscription = Annotated[str, Field(pattern=f"^{GUID}$")]
Column = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_WORSE: Final = (
    "How many times as large it may be as for the version before, such as `2x`. Left out: the two are not compared"
)


class ScaleSetsSection(Section):
    """Scale sets that follow the ring: the health of instances that run the version, and upgrades to it."""

    ids: list[ScaleSetText] = Field(
        default_factory=list, max_length=MOST_NAMED, description="Resource ids of up to 25 scale sets"
    )
    subscriptions: list[Subscription] = Field(
        default_factory=list,
        max_length=10,
        description="Subscriptions whose scale sets are watched if they are in a region of the ring and their model "
        "names the ring's image definition. Up to 25 scale sets are read",
    )
    max_unhealthy: Share = Field("10%", description="Share of the instances that may be unhealthy")
    worse_than_before: Factor | None = Field(None, description=_WORSE)
    failed_upgrades: Literal["fail", "ignore"] = Field(
        "fail", description="Whether an upgrade of a scale set that failed or was rolled back fails the ring"
    )

    @model_validator(mode="after")
    def _names_some(self) -> ScaleSetsSection:
        if not self.ids and not self.subscriptions:
            raise ValueError("name scale sets by ids or by subscriptions")
        return self


class ProvisioningSection(Section):
    """Virtual machines of the version in the ring's regions."""

    subscriptions: list[Subscription] = Field(
        min_length=1, max_length=10, description="Subscriptions whose virtual machines are listed"
    )
    max_failed: Share = Field("5%", description="Share of the virtual machines whose provisioning may have failed")
    worse_than_before: Factor | None = Field(None, description=_WORSE)


class QuerySection(Section):
    """A Kusto query on a Log Analytics workspace. It counts by the first row of its result."""

    workspace: Subscription = Field(description="Workspace id, a GUID")
    kql: Annotated[str, Field(min_length=1, max_length=8000)] = Field(
        description="The query. `{version}` stands for the version number"
    )
    column: Column = Field(description="Column with the number that must not be above `max`")
    max: float = Field(ge=0, description="The largest number that is healthy")
    samples: Column | None = Field(
        None, description="Column that says how many samples there were: fewer than `minimum` are unknown"
    )
    worse_than_before: Factor | None = Field(
        None, description=f"{_WORSE}. The query runs a second time, with that version's number"
    )
    period: Annotated[Duration, UP_TO_90_DAYS] = Field(timedelta(hours=1), description="How far back the query looks")

    @model_validator(mode="after")
    def _compares(self) -> QuerySection:
        if self.worse_than_before is not None and "{version}" not in self.kql:
            raise ValueError("worseThanBefore needs {version} in kql: both queries would be the same")
        return self


class HttpSection(Section):
    """A public HTTPS address that must answer with status 200."""

    url: Address = Field(
        description="The address. It is asked as scan reports by reference are: it has a public IP address, and no "
        "redirect leads to another host. At most 15 seconds and 256 KiB"
    )
    contains: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Text that the body must contain"
    )


class HealthSection(Section):
    """What follows the ring is watched after its publication. The next ring is not published before its verdict."""

    for_: Annotated[Duration, between(timedelta(minutes=5), timedelta(days=14))] = Field(
        timedelta(hours=2),
        alias="for",
        description="How long it is watched, at least. The watch lasts until the next ring has baked, if that is later",
    )
    every: Annotated[Duration, between(timedelta(minutes=5), timedelta(hours=6))] = Field(
        timedelta(minutes=10), description="How often it is looked at"
    )
    minimum: int = Field(
        5,
        ge=1,
        le=10000,
        description="From how many instances, virtual machines or samples on a share counts. Fewer are *unknown*, "
        "never healthy",
    )
    failure_threshold: int = Field(
        2, ge=1, le=10, description="How many looks one after the other must fail before the ring fails"
    )
    on_breach: Literal["stop", "hide"] = Field(
        "stop",
        description="When the ring fails: no further ring is published until somebody decides (`stop`), and the "
        "version is also excluded from `latest` in this ring (`hide`)",
    )
    unknown: Literal["proceed", "wait"] = Field(
        "proceed",
        description="When the health is unknown at the end: go on with a warning, or watch on until it is known or "
        "somebody decides",
    )
    scale_sets: ScaleSetsSection | None = Field(None, description="Health of scale-set instances, and upgrades")
    provisioning: ProvisioningSection | None = Field(None, description="Virtual machines that failed to provision")
    query: QuerySection | None = Field(None, description="A number from logs")
    http: HttpSection | None = Field(None, description="An address that must answer")

    @model_validator(mode="after")
    def _has_source(self) -> HealthSection:
        if not any((self.scale_sets, self.provisioning, self.query, self.http)):
            raise ValueError("name at least one of scaleSets, provisioning, query and http")
        return self


def health_of(section: HealthSection) -> HealthRules:
    """The rules that a section states."""
    return HealthRules(
        watch_for=section.for_,
        every=section.every,
        minimum=section.minimum,
        failure_threshold=section.failure_threshold,
        on_breach=OnBreach(section.on_breach),
        on_unknown=OnUnknown(section.unknown),
        scale_sets=_scale_sets(section.scale_sets) if section.scale_sets else None,
        provisioning=_provisioning(section.provisioning) if section.provisioning else None,
        query=_query(section.query) if section.query else None,
        http=HttpRules(section.http.url, section.http.contains) if section.http else None,
    )


def _limit(most: str, worse: str | None) -> ShareLimit:
    return ShareLimit(share_of(most), None if worse is None else factor_of(worse))


def _scale_sets(section: ScaleSetsSection) -> ScaleSetRules:
    return ScaleSetRules(
        ids=tuple(dict.fromkeys(each.lower() for each in section.ids)),
        subscriptions=tuple(dict.fromkeys(each.lower() for each in section.subscriptions)),
        unhealthy=_limit(section.max_unhealthy, section.worse_than_before),
        failed_upgrades=section.failed_upgrades == "fail",
    )


def _provisioning(section: ProvisioningSection) -> ProvisioningRules:
    subscriptions = tuple(dict.fromkeys(each.lower() for each in section.subscriptions))
    return ProvisioningRules(subscriptions, _limit(section.max_failed, section.worse_than_before))


def _query(section: QuerySection) -> QueryRules:
    return QueryRules(
        workspace=section.workspace.lower(),
        kql=section.kql,
        column=section.column,
        most=section.max,
        worse_than_before=None if section.worse_than_before is None else factor_of(section.worse_than_before),
        samples=section.samples,
        period=section.period,
    )
