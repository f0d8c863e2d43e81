"""From a checked file to the domain's values, and the digest that binds evidence to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final

from shared.domain.image import DefinitionId
from shared.domain.policy import (
    BootRules,
    DefinitionPolicy,
    Policy,
    RegionTarget,
    ReplicationRules,
    RetentionRules,
    Ring,
    ScanException,
    ScanRules,
    Severity,
    TestEnvironment,
    ValidationRules,
    VisibleBeforeProof,
)
from shared.policy_file.checks import ring_target
from shared.policy_file.models import (
    DefinitionSection,
    ExceptionSection,
    PolicySection,
    RingSection,
    ScanSection,
    TestSection,
)

DIGEST_FORMAT: Final = 2
"""Counted up when rules of the product itself change what the same policy means."""


def build(document: PolicySection) -> Policy:
    """The policy that a document states."""
    test = _test(document.test)
    definitions = [_definition(section, document.exceptions, test) for section in document.definitions]
    return Policy(test, {definition.source: definition for definition in definitions})


def _test(section: TestSection) -> TestEnvironment:
    return TestEnvironment(section.subscription.lower(), section.resource_group, section.subnet)


def _definition(
    section: DefinitionSection, everywhere: Iterable[ExceptionSection], test: TestEnvironment
) -> DefinitionPolicy:
    source = DefinitionId.parse(section.source)
    validation, boot, retention = section.validation, section.boot, section.retention
    policy = DefinitionPolicy(
        name=section.name,
        source=source,
        rings=tuple(_ring(ring, source) for ring in section.rings),
        scan=_scan(section.scan, (*section.exceptions, *everywhere)),
        digest="",
        validation=ValidationRules(
            required_tags=dict(validation.required_tags),
            min_disk_gb=validation.min_disk_gb,
            max_disk_gb=validation.max_disk_gb,
            visible_before_proof=VisibleBeforeProof(validation.visible_before_proof),
            ready_within=validation.ready_within,
        ),
        boot=BootRules(
            vm_size=boot.vm_size,
            ready_within=boot.ready_within,
            probe_within=boot.probe_within,
            serial_fail=tuple(boot.serial_fail),
            serial_ignore=tuple(boot.serial_ignore),
        ),
        replication=ReplicationRules(section.replication.complete_within, section.replication.repairs),
        retention=RetentionRules(retention.keep, retention.min_age),
    )
    return replace(policy, digest=digest(policy, test))


def _ring(section: RingSection, source: DefinitionId) -> Ring:
    return Ring(
        name=section.name,
        definition=ring_target(source, section.gallery, section.definition),
        regions=tuple(RegionTarget(region.name, region.replicas, region.storage) for region in section.regions),
        bake=section.bake,
        boot_test=section.boot_test,
    )


def _scan(section: ScanSection, exceptions: Iterable[ExceptionSection]) -> ScanRules:
    limits = section.limits.model_dump(exclude_none=True)
    return ScanRules(
        limits={Severity(name): limit for name, limit in limits.items()},
        formats=tuple(dict.fromkeys(section.formats)),
        deadline=section.deadline,
        max_age=section.max_age,
        only_fixable=section.only_fixable,
        exceptions=tuple(_exception(exception) for exception in exceptions),
        allow_end_of_life_os=section.allow_end_of_life_os,
        trust_suppressions=section.trust_suppressions,
    )


def _exception(section: ExceptionSection) -> ScanException:
    return ScanException(section.id, section.owner, section.reason, end_of_day(section.expires), section.package)


def end_of_day(day: date) -> datetime:
    """The last moment of a day, in UTC."""
    return datetime.combine(day, time.max, UTC)


def digest(policy: DefinitionPolicy, test: TestEnvironment) -> str:
    """SHA-256 (hex) over everything that can change a verdict, whatever the file's order, casing and comments."""
    canonical = {
        "format": DIGEST_FORMAT,
        "definition": _canonical(replace(policy, digest="")),
        "test": {**_canonical(test), "resource_group": test.resource_group.lower(), "subnet": test.subnet.lower()},
    }
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_UNORDERED: Final = {"regions", "formats", "exceptions", "serial_fail", "serial_ignore"}


def _canonical(value: Any, name: str = "") -> Any:
    if isinstance(value, DefinitionId):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _canonical(getattr(value, field.name), field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _canonical(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        parts = [_canonical(part) for part in value]
        return sorted(parts, key=lambda part: json.dumps(part, sort_keys=True)) if name in _UNORDERED else parts
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
