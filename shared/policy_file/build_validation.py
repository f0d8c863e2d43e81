"""From the checked section ``validation`` to the domain's values."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from shared.domain.image import VersionNumber
from shared.domain.policy import ValidationRules, VisibleBeforeProof
from shared.domain.validation.policy import (
    EndOfLifeRules,
    NumberFormat,
    NumberOrder,
    NumberRules,
    OwnerKind,
    OwnerRules,
    Waiver,
)
from shared.domain.validation.rule import RuleSeverity
from shared.policy_file.patterns import compiled
from shared.policy_file.validation_models import NumbersSection, ValidationSection, WaiverSection


def validation_rules(section: ValidationSection) -> ValidationRules:
    """The rules that the section states."""
    end_of_life, owner = section.end_of_life, section.owner
    return ValidationRules(
        required_tags={name: None if text is None else compiled(text) for name, text in section.required_tags.items()},
        min_disk_gb=section.min_disk_gb,
        max_disk_gb=section.max_disk_gb,
        visible_before_proof=VisibleBeforeProof(section.visible_before_proof),
        ready_within=section.ready_within,
        severities={name: RuleSeverity(level) for name, level in section.rules.items()},
        waivers=tuple(map(_waiver, section.waivers)),
        sources=tuple(dict.fromkeys(each.casefold() for each in section.sources)),
        builders=frozenset(each.lower() for each in section.builders),
        numbers=_numbers(section.numbers) if section.numbers else None,
        end_of_life=EndOfLifeRules(end_of_life.required, end_of_life.at_least) if end_of_life else None,
        owner=OwnerRules(owner.tag, tuple(map(OwnerKind, dict.fromkeys(owner.is_)))) if owner else None,
        headroom=section.headroom,
    )


def end_of_day(day: date) -> datetime:
    """The last moment of a day, in UTC."""
    return datetime.combine(day, time.max, UTC)


def _waiver(section: WaiverSection) -> Waiver:
    numbers = tuple(map(VersionNumber.parse, dict.fromkeys(section.versions)))
    return Waiver(section.rule, section.owner, section.reason, end_of_day(section.expires), numbers)


def _numbers(section: NumbersSection) -> NumberRules:
    pattern = None if section.pattern is None else compiled(section.pattern)
    return NumberRules(NumberFormat(section.format), pattern, NumberOrder(section.order))
