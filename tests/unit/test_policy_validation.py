"""The section ``validation`` of a policy: rules, waivers and the keys that rules need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.image import VersionNumber
from shared.domain.policy import ValidationRules
from shared.domain.validation.policy import (
    EndOfLifeRules,
    NumberFormat,
    NumberOrder,
    OwnerKind,
    OwnerRules,
)
from shared.domain.validation.rule import RuleSeverity
from shared.domain.validation.rules import RULES
from shared.policy_file import PolicyFaults, load_policy
from shared.policy_file.__main__ import summary
from tests.unit.policy_texts import MINIMAL, only

WAIVER = "{rule: disk-size, owner: a@example.com, reason: r, expires: 2027-03-31"


def text(section: str) -> str:
    return MINIMAL.replace("    rings:\n", f"    validation: {section}\n    rings:\n")


def read(section: str) -> ValidationRules:
    return only(load_policy(text(section), name="p")).validation


def faults(section: str) -> str:
    with pytest.raises(PolicyFaults) as raised:
        load_policy(text(section), name="p")
    return str(raised.value)


def digest(section: str) -> str:
    return only(load_policy(text(section), name="p")).digest


def test_a_rule_is_set_by_name_and_off_needs_no_quotes() -> None:
    rules = read("{rules: {source-gone: off, shallow: error, disk-size: warn}}")
    assert rules.severities == {
        "source-gone": RuleSeverity.OFF,
        "shallow": RuleSeverity.ERROR,
        "disk-size": RuleSeverity.WARN,
    }


@pytest.mark.parametrize("name", [rule.id for rule in RULES.values() if rule.locked])
def test_a_rule_that_a_law_needs_is_a_fault_that_says_why(name: str) -> None:
    assert RULES[name].locked in faults(f"{{rules: {{{name}: off}}}}")
    assert "cannot be changed or waived" in faults(f"{{waivers: [{WAIVER.replace('disk-size', name)}}}]}}")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{rules: {moon: off}}", "is not a rule"),
        ("{rules: {shallow: loud}}", "error"),
        ("{rules: {shallow: true}}", "error"),
        ("{waivers: [{rule: disk-size, reason: r, expires: 2027-03-31}]}", "owner"),
        (f"{{waivers: [{WAIVER}, versions: [1.2]}}]}}", "versions"),
        ("{sources: [images]}", "is not a resource id"),
        ("{sources: ['/subscriptions/[ab]']}", "is not a resource id"),
        ("{builders: [me]}", "builders"),
        ("{numbers: {format: pattern}}", "pattern"),
        ("{numbers: {pattern: x}}", "pattern"),
        ("{endOfLife: {atLeast: long}}", "is not a duration"),
        ("{owner: {is: [name]}}", "email"),
        ("{owner: {is: []}}", "is"),
        ("{headroom: 100}", "headroom"),
    ],
)
def test_what_is_wrong_is_told(section: str, told: str) -> None:
    assert told in faults(section)


def test_everything_is_read() -> None:
    rules = read(
        f"{{waivers: [{WAIVER}, versions: [1.2.3]}}], sources: [/Subscriptions/S/*], "
        "builders: [AAAAAAAA-0000-4000-8000-000000000001], numbers: {format: calendar, order: ascending}, "
        "endOfLife: {atLeast: 90d}, owner: {tag: contact, is: [email]}, headroom: 20}"
    )
    (waiver,) = rules.waivers
    assert (waiver.versions, waiver.expires.date().isoformat()) == ((VersionNumber(1, 2, 3),), "2027-03-31")
    assert (rules.sources, rules.headroom) == (("/subscriptions/s/*",), 20)
    assert rules.builders == {"aaaaaaaa-0000-4000-8000-000000000001"}
    assert rules.numbers is not None
    assert (rules.numbers.format, rules.numbers.order) == (NumberFormat.CALENDAR, NumberOrder.ASCENDING)
    assert rules.end_of_life == EndOfLifeRules(at_least=timedelta(days=90))
    assert rules.owner == OwnerRules("contact", (OwnerKind.EMAIL,))


@pytest.mark.parametrize(
    "section",
    [
        "{rules: {shallow: error}}",
        f"{{waivers: [{WAIVER}}}]}}",
        "{sources: [/subscriptions/s]}",
        "{numbers: {}}",
        "{endOfLife: {}}",
        "{owner: {}}",
        "{headroom: 20}",
    ],
)
def test_a_key_changes_the_digest_and_its_default_does_not(section: str) -> None:
    plain = only(load_policy(MINIMAL, name="p")).digest
    assert digest(section) != plain
    assert digest("{rules: {}, waivers: [], sources: [], builders: [], headroom: 10}") == plain


def test_an_expired_waiver_is_pointed_out() -> None:
    policy = load_policy(text(f"{{waivers: [{WAIVER}}}]}}"), name="p")
    assert "waiver of a@example.com for disk-size has expired" in summary(policy, datetime(2027, 4, 1, tzinfo=UTC))
    assert "waiver" not in summary(policy, datetime(2027, 3, 31, 12, tzinfo=UTC))
