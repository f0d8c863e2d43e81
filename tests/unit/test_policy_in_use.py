"""Where the policy says to look for users, and what follows a revocation."""

from __future__ import annotations

import pytest

from shared.domain.policy import DescendantRule
from shared.domain.usage import InUseRules
from shared.policy_file import PolicyFaults, load_policy
from tests.unit.policy_texts import MINIMAL, PROD, only

FIRST = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"
THIRD = "00000000-0000-4000-8000-00000000000A"


def rules(section: str, text: str = MINIMAL) -> InUseRules:
    return load_policy(f"{text}inUse: {section}\n", name="p").looked_at


def test_by_default_the_subscriptions_of_the_policy_are_looked_at() -> None:
    ring = f"      - {{name: production, gallery: {PROD}, regions: [eastus]}}\n"
    found = load_policy(MINIMAL + ring, name="p").looked_at
    assert (found.subscriptions, found.resource_graph, dict(found.waived)) == ((FIRST, SECOND), True, {})


def test_named_subscriptions_replace_them() -> None:
    assert rules(f"{{subscriptions: [{THIRD}]}}").subscriptions == (THIRD.lower(),)


def test_a_type_is_waived_by_name_or_with_a_reason() -> None:
    found = rules("{waive: [Microsoft.Batch/batchAccounts, {type: microsoft.devtestlab/labs, reason: none of ours}]}")
    assert found.waived == {"microsoft.batch/batchaccounts": "", "microsoft.devtestlab/labs": "none of ours"}


def test_a_type_that_nobody_looks_at_cannot_be_waived() -> None:
    with pytest.raises(PolicyFaults) as faults:
        rules("{waive: [Microsoft.Web/sites]}")
    assert "'Microsoft.Web/sites' is no type that is looked at" in str(faults.value)


def test_resource_graph_can_be_left_out() -> None:
    assert not rules("{resourceGraph: false}").resource_graph


@pytest.mark.parametrize(
    ("section", "expected"),
    [("", DescendantRule.REPORT), ("    revocation: {descendants: revoke}\n", DescendantRule.REVOKE)],
)
def test_descendants_are_reported_unless_the_policy_says_to_revoke_them(section: str, expected: DescendantRule) -> None:
    policy = only(load_policy(MINIMAL.replace("    rings:\n", f"{section}    rings:\n"), name="p"))
    assert policy.revocation.descendants is expected
