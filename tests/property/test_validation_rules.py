"""The policy's severity of one rule changes nothing but that rule's findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.policy import ValidationRules
from shared.domain.validation.findings import FindingSeverity
from shared.domain.validation.policy import EndOfLifeRules, NumberRules, OwnerRules, Waiver
from shared.domain.validation.rule import RuleSeverity
from shared.domain.validation.rules import RULES
from shared.domain.validation.verdict import validate
from tests.unit.domain.test_validation import NOW, POLICY
from tests.unit.domain.test_validation_rules import CASES

RULE_NAMES = st.sampled_from(sorted(RULES))
STRICT: dict[str, Any] = {
    "required_tags": {"build": None},
    "sources": ("/subscriptions/s",),
    "builders": frozenset({"aaaaaaaa-0000-4000-8000-000000000001"}),
    "numbers": NumberRules(),
    "end_of_life": EndOfLifeRules(),
    "owner": OwnerRules(),
}
"""Most rules that need a key find something here."""
FACTS = st.sampled_from([case.given for case in CASES if case.code != "not-ready-in-time"])


def found(facts: Any, rules: ValidationRules) -> list[tuple[str, str, str]]:
    verdict = validate(facts, replace(POLICY, validation=rules), now=NOW)
    return [(each.code, each.severity.value, each.text) for each in verdict.findings]


@given(FACTS, RULE_NAMES, st.sampled_from(RuleSeverity))
def test_a_severity_changes_nothing_but_that_rules_findings(facts: Any, name: str, severity: RuleSeverity) -> None:
    before = found(facts, ValidationRules(**STRICT))
    after = found(facts, ValidationRules(**STRICT, severities={name: severity}))
    assert [each for each in after if each[0] != name] == [each for each in before if each[0] != name]
    own = [each for each in after if each[0] == name]
    if RULES[name].locked:
        assert own == [each for each in before if each[0] == name]
    elif severity is RuleSeverity.OFF:
        assert own == []
    else:
        wanted = FindingSeverity.ERROR if severity is RuleSeverity.ERROR else FindingSeverity.WARNING
        assert {level for _, level, _ in own} <= {wanted.value}


@given(FACTS, RULE_NAMES, st.integers(-1, 1))
def test_a_waiver_changes_nothing_but_that_rules_findings(facts: Any, name: str, days: int) -> None:
    waiver = Waiver(name, "owner@example.com", "reason", NOW + timedelta(days=days))
    before, after = (found(facts, ValidationRules(**STRICT, waivers=each)) for each in ((), (waiver,)))
    assert sorted(each for each in after if each[0] != name) == sorted(each for each in before if each[0] != name)
    waived = not RULES[name].locked and days >= 0
    assert {level for code, level, _ in after if code == name} <= ({"waived"} if waived else {"error", "warning"})
