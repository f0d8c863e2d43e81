"""From a checked file to the domain's values, and the digest that binds evidence to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final, cast

from shared.domain.access import Access, Role
from shared.domain.boot_test.console_patterns import PatternSeverity
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.domain.fleet import Fleet, Prices
from shared.domain.image import DefinitionId
from shared.domain.policy import (
    Ahead,
    ApprovalDeadline,
    ApprovalRules,
    BootRules,
    ConsoleRule,
    DayLimit,
    DefinitionPolicy,
    DescendantRule,
    DriftAction,
    EventDetail,
    FailedRescanAction,
    Policy,
    RegionTarget,
    ReplicationRules,
    RetentionRules,
    RevocationRules,
    Ring,
    ScanException,
    ScanRules,
    Severity,
    Skippable,
    SlowBoot,
    Supersede,
    TestEnvironment,
    Twins,
)
from shared.domain.publish_window import Freeze
from shared.domain.usage import InUseRules
from shared.policy_file.boot_fields import DEFAULT_SIZES, IGNORED
from shared.policy_file.build_validation import end_of_day, validation_rules
from shared.policy_file.checks import ring_target
from shared.policy_file.health_models import health_of
from shared.policy_file.models import (
    BootSection,
    DefinitionSection,
    FleetSection,
    InUseSection,
    PolicySection,
    PricesSection,
    RingSection,
    TestSection,
)
from shared.policy_file.patterns import LinearPattern, compiled
from shared.policy_file.people_models import (
    AccessSection,
    ApprovalSection,
    DayLimitSection,
    FreezeSection,
    window_of,
)
from shared.policy_file.policy_faults import Path
from shared.policy_file.probe_checks import baseline, own_checks
from shared.policy_file.scan_models import ExceptionSection, LimitsSection, RingScanSection, ScanSection
from shared.policy_file.vex_exceptions import VexSource, exceptions_for

DIGEST_FORMAT: Final = 2
"""Incremented when a change of the product changes the meaning of the same policy."""


def build(
    document: PolicySection,
    vex: Mapping[Path, VexSource] | None = None,
    scripts: Mapping[Path, str] | None = None,
) -> Policy:
    """The policy that a document states, with the VEX documents and the scripts that it names, by where it does."""
    test = _test(document.test)
    read = vex or {}
    definitions = [
        replace(
            _definition(section, _exceptions(document, number, read), _boot(section.boot, number, scripts or {}), test),
            access=_access(document.access).with_more(_access(section.access)),
            freezes=_freezes(document.freezes, section.name),
            emergency_skips=frozenset(map(Skippable, section.emergency.skip)),
            max_rings_per_day=_day_limit(section.max_rings_per_day),
            supersede=Supersede(section.supersede),
            events=EventDetail(section.events),
            drift=DriftAction(section.drift),
            revocation=RevocationRules(DescendantRule(section.revocation.descendants)),
            ahead=Ahead(section.ahead),
        )
        for number, section in enumerate(document.definitions)
    ]
    return Policy(
        test,
        {definition.source: definition for definition in definitions},
        access=_access(document.access),
        prices=_prices(document.prices),
        in_use=_in_use(document.in_use),
    )


def _in_use(section: InUseSection) -> InUseRules:
    return InUseRules(
        subscriptions=tuple(dict.fromkeys(each.lower() for each in section.subscriptions)),
        waived={each.type: each.reason for each in section.waive},
        resource_graph=section.resource_graph,
    )


def _test(section: TestSection) -> TestEnvironment:
    return TestEnvironment(section.subscription.lower(), section.resource_group, section.subnet)


def _prices(section: PricesSection | None) -> Prices | None:
    return (
        Prices(
            section.as_of, section.currency, {str(storage): price for storage, price in section.per_gb_month.items()}
        )
        if section
        else None
    )


def _access(section: AccessSection) -> Access:
    return Access(
        {
            Role.READER: _ids(section.readers),
            Role.OPERATOR: _ids(section.operators),
            Role.APPROVER: _ids(section.approvers),
            Role.ADMIN: _ids(section.admins),
        }
    )


def _ids(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text.lower() for text in texts)


def _freezes(sections: Iterable[FreezeSection], definition: str) -> tuple[Freeze, ...]:
    return tuple(
        Freeze(each.begins, each.ends, each.reason)
        for each in sections
        if not each.definitions or definition in each.definitions
    )


def _day_limit(section: DayLimitSection | None) -> DayLimit | None:
    return None if section is None else DayLimit(section.rings, section.time_zone)


def _approval(section: ApprovalSection) -> ApprovalRules:
    return ApprovalRules(
        count=section.count,
        approvers=_ids(section.approvers),
        builder_may_approve=section.builder_may_approve,
        within=section.within,
        at_deadline=ApprovalDeadline(section.at_deadline),
    )


def _exceptions(document: PolicySection, number: int, vex: Mapping[Path, VexSource]) -> tuple[ScanException, ...]:
    """Every exception that holds for a definition: its own, those for all, and what VEX documents say."""
    section = document.definitions[number]
    written = (_exception(exception) for exception in (*section.exceptions, *document.exceptions))
    sources = [each for path, each in vex.items() if path[0] == "vex" or path[1] == number]
    return (*written, *exceptions_for(section.name, DefinitionId.parse(section.source), sources))


def _boot(boot: BootSection, number: int, scripts: Mapping[Path, str]) -> BootRules:
    return BootRules(
        vm_sizes=boot.vm_size[DEFAULT_SIZES],
        vm_sizes_in={region: sizes for region, sizes in boot.vm_size.items() if region != DEFAULT_SIZES},
        tags=dict(boot.tags),
        disk_encryption_set=boot.disk_encryption_set,
        ready_within=boot.ready_within,
        probe_within=boot.probe_within,
        serial_fail=tuple(map(compiled, boot.serial_fail)),
        serial_ignore=tuple(map(compiled, boot.serial_ignore)),
        checks={name: CheckSeverity(severity) for name, severity in boot.checks.items()},
        ignore_units=tuple(dict.fromkeys(boot.ignore_units)),
        own_checks=own_checks(boot.own_checks, number, scripts),
        baseline=None if boot.baseline is None else baseline(boot.baseline),
        console=ConsoleRule(boot.console),
        console_patterns={
            name: None if severity == IGNORED else PatternSeverity(severity)
            for name, severity in boot.console_patterns.items()
        },
        reboot=boot.reboot,
        reboot_within=boot.reboot_within,
        twins=Twins(boot.twins),
        max_slowdown=boot.max_slowdown,
        on_slow_boot=SlowBoot(boot.on_slow_boot),
    )


def _definition(
    section: DefinitionSection, exceptions: tuple[ScanException, ...], boot: BootRules, test: TestEnvironment
) -> DefinitionPolicy:
    source = DefinitionId.parse(section.source)
    retention = section.retention
    scan = _scan(section.scan, exceptions)
    policy = DefinitionPolicy(
        name=section.name,
        source=source,
        rings=tuple(_ring(ring, source, scan) for ring in section.rings),
        scan=scan,
        digest="",
        validation=validation_rules(section.validation),
        boot=boot,
        replication=ReplicationRules(section.replication.complete_within, section.replication.repairs),
        retention=RetentionRules(retention.keep, retention.min_age),
    )
    return replace(policy, digest=digest(policy, test))


def _ring(section: RingSection, source: DefinitionId, scan: ScanRules) -> Ring:
    return Ring(
        name=section.name,
        definition=ring_target(source, section.gallery, section.definition),
        regions=tuple(RegionTarget(region.name, region.replicas, region.storage) for region in section.regions),
        bake=section.bake,
        bake_in=None if section.bake_in is None else window_of(section.bake_in),
        boot_test=section.boot_test,
        reboot=section.reboot,
        scan=_ring_scan(section.scan, scan) if section.scan else None,
        approval=_approval(section.approval) if section.approval else None,
        windows=tuple(map(window_of, section.windows)),
        health=health_of(section.health) if section.health else None,
        fleet=_fleet(section.fleet) if section.fleet else None,
        standby=section.standby,
    )


def _fleet(section: FleetSection) -> Fleet:
    return Fleet(section.vms, tuple(section.scale_sets), section.headroom_percent, section.image_gb)


def _ring_scan(section: RingScanSection, rules: ScanRules) -> ScanRules:
    own = section.given()
    if section.limits is not None:
        own["limits"] = _limits(section.limits)
    if section.required is not None:
        own["required"] = tuple(dict.fromkeys(section.required))
    if section.no_new is not None:
        own["no_new"] = _severities(section.no_new)
    return replace(rules, **own)


def _limits(section: LimitsSection) -> dict[Severity, int]:
    return {Severity(name): limit for name, limit in section.model_dump(exclude_none=True).items()}


def _severities(names: Iterable[str]) -> tuple[Severity, ...]:
    return tuple(Severity(name) for name in dict.fromkeys(names))


def _scan(section: ScanSection, exceptions: tuple[ScanException, ...]) -> ScanRules:
    return ScanRules(
        limits=_limits(section.limits),
        formats=tuple(dict.fromkeys(section.formats)),
        deadline=section.deadline,
        max_age=section.max_age,
        only_fixable=section.only_fixable,
        exceptions=exceptions,
        allow_end_of_life_os=section.allow_end_of_life_os,
        trust_suppressions=section.trust_suppressions,
        required=tuple(dict.fromkeys(section.required)),
        max_score=section.max_score,
        max_epss=section.max_epss,
        fix_grace=section.fix_grace,
        no_new=_severities(section.no_new),
        improvement_passes=section.improvement_passes,
        on_failed_rescan=FailedRescanAction(section.on_failed_rescan),
        rescan_after=section.rescan_after,
        hold_for=section.hold_for,
        revoke_to_empty=section.revoke_to_empty,
    )


def _exception(section: ExceptionSection) -> ScanException:
    return ScanException(section.id, section.owner, section.reason, end_of_day(section.expires), section.package)


def digest(policy: DefinitionPolicy, test: TestEnvironment) -> str:
    """SHA-256 (hex) over everything that can change a verdict, whatever the file's order, casing and comments."""
    canonical = {
        "format": DIGEST_FORMAT,
        "definition": _canonical(replace(policy, digest="")),
        "test": {**_canonical(test), "resource_group": test.resource_group.lower(), "subnet": test.subnet.lower()},
    }
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_DIGEST_NAMES: Final = {"on_failed_rescan": "day_after"}
"""Former names of renamed fields. Releases store digests, so a new field name must not change them."""
_UNORDERED: Final = {
    "regions",
    "formats",
    "exceptions",
    "required",
    "no_new",
    "serial_fail",
    "serial_ignore",
    "ignore_units",
    "own_checks",
    "waivers",
    "versions",
    "sources",
    "kinds",
}
_NO_VERDICT: Final = {
    "access",
    "windows",
    "freezes",
    "emergency_skips",
    "max_rings_per_day",
    "supersede",
    "revocation",
    "ahead",
    "events",
    "drift",
    "fleet",
    "standby",
}
"""Who may act, what happens when, what follows a revocation, and what is told or planned: a change decides nothing anew
about an image, so that its evidence still holds."""
_ADDED: Final[dict[str, Any]] = {
    "approval": None,
    "bake_in": None,
    "health": None,
    "severities": {},
    "waivers": [],
    "sources": [],
    "builders": [],
    "numbers": None,
    "end_of_life": None,
    "owner": None,
    "headroom": 10,
    "checks": {},
    "ignore_units": [],
    "own_checks": [],
    "baseline": None,
    "console": ConsoleRule.EXPECTED.value,
    "console_patterns": {},
    "reboot": True,
    "reboot_within": BootRules().reboot_within.total_seconds(),
    "twins": Twins.COMPARED.value,
    "max_slowdown": None,
    "on_slow_boot": SlowBoot.WARN.value,
}
"""Fields that were added later, with their defaults: a policy without them has the digest that it had before."""


def _canonical(value: Any, name: str = "") -> Any:
    if isinstance(value, DefinitionId):
        return str(value)
    if isinstance(value, LinearPattern):
        return {"re2": value.pattern}  # to another engine the same text means something else
    if is_dataclass(value) and not isinstance(value, type):
        parts_of = {
            _DIGEST_NAMES.get(field.name, field.name): _canonical(getattr(value, field.name), field.name)
            for field in fields(value)
        }
        return {
            name: part
            for name, part in parts_of.items()
            if name not in _NO_VERDICT and (name not in _ADDED or part != _ADDED[name])
        }
    if isinstance(value, dict):
        return {str(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(_canonical(part)) for part in cast("frozenset[Any]", value))
    if isinstance(value, tuple | list):
        parts = [_canonical(part) for part in value]
        return sorted(parts, key=lambda part: json.dumps(part, sort_keys=True)) if name in _UNORDERED else parts
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | time):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
